from __future__ import annotations

import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from kit.redis import needs_redis, running_redis
from upwire.demo import launch
from upwire.demo.launch import check_port, find_nginx, main
from upwire.demo.plan import DemoOptions, Plan, make_plan
from upwire.errors import UpwireError

WAITS = (sys.executable, "-c", "import signal; signal.pause()")
FAILS = (sys.executable, "-c", "import sys; print('no such file'); sys.exit(3)")


def answers_on(port: int) -> tuple[str, ...]:
    """Return a program that answers 502 once, and then 200, as a proxy does at the start."""
    program = (
        "import http.server\n"
        "statuses = [502]\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(statuses.pop() if statuses else 200)\n"
        "        self.end_headers()\n"
        f"http.server.HTTPServer(('127.0.0.1', {port}), Handler).serve_forever()"
    )
    return (sys.executable, "-c", program)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def options() -> DemoOptions:
    return DemoOptions(port=launch._free_port(), backend_port=launch._free_port())


def options_of_nodes(nodes: int, redis: str) -> DemoOptions:
    """Return options with so many free ports in a row."""
    while True:
        first = launch._free_port()
        with suppress(ValueError, UpwireError):
            options = DemoOptions(
                port=launch._free_port(), backend_port=first, nodes=nodes, redis=redis
            )
            for port in options.backend_ports:
                check_port("127.0.0.1", port, "--backend-port")
            return options


def put_in_place(
    monkeypatch: pytest.MonkeyPatch, *, proxy: tuple[str, ...], backend: tuple[str, ...] = WAITS
) -> None:
    """Let the launcher start these programs in place of ours."""

    def plan(
        options: DemoOptions, folder: Path, *, status_port: int, nginx: str | None = None
    ) -> Plan:
        real = make_plan(options, folder, status_port=status_port, nginx=nginx)
        backends = dict.fromkeys(real.backends, backend)
        return Plan(proxy=proxy, backends=backends, files=real.files, setting=real.setting)

    monkeypatch.setattr(launch, "make_plan", plan)


def test_a_port_in_use_is_said_with_the_option_that_moves_it(
    taken_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(DemoOptions(port=taken_port)) == 1
    assert capsys.readouterr().err == (
        f"upwire demo: port {taken_port} is in use; choose another with --port PORT\n"
    )

    free = launch._free_port()
    assert main(DemoOptions(port=free, backend_port=taken_port)) == 1
    assert "choose another with --backend-port PORT" in capsys.readouterr().err


def test_a_free_port_is_none_that_is_wanted() -> None:
    class AllButOne(set[int]):
        """Wants each port when it comes up first."""

        def __contains__(self, port: object) -> bool:
            assert isinstance(port, int)
            asked.append(port)
            return len(asked) == 1

    asked: list[int] = []

    assert launch._free_port(but=AllButOne()) == asked[1]


def test_a_port_that_is_not_ours_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(UpwireError, match="choose one above 1023 with --port PORT"):
        check_port("127.0.0.1", 80, "--port")


def test_an_address_that_is_not_this_machines_is_said() -> None:
    with pytest.raises(UpwireError, match=r"port 8000: Cannot assign requested address$"):
        check_port("192.0.2.1", 8000, "--port")


def test_nginx_is_found_or_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "NGINX_PATHS", ("/nowhere/nginx", sys.executable))
    assert find_nginx() == sys.executable

    monkeypatch.setattr(launch, "NGINX_PATHS", ("/nowhere/nginx",))
    with pytest.raises(UpwireError, match="nginx is not installed"):
        find_nginx()


def test_it_says_where_to_look_opens_a_browser_and_stops_at_ctrl_c(
    options: DemoOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def look(url: str) -> bool:
        opened.append(url)
        os.kill(os.getpid(), signal.SIGINT)
        return True

    put_in_place(monkeypatch, proxy=answers_on(options.port))
    monkeypatch.setattr(webbrowser, "open", look)
    monkeypatch.setenv("DISPLAY", ":0")

    assert main(options) == 0
    assert opened == [options.url]
    assert f"Look at {options.url}" in capsys.readouterr().out


@pytest.mark.parametrize("open_browser", [True, False])
def test_it_opens_no_browser_where_none_is_wanted_or_no_display_is(
    open_browser: bool, options: DemoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = DemoOptions(
        port=options.port, backend_port=options.backend_port, open_browser=open_browser
    )
    put_in_place(monkeypatch, proxy=answers_on(options.port))
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail("a browser was opened"))
    monkeypatch.setattr(launch, "describe", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    assert main(options) == 0


def test_a_program_that_ends_is_said_with_its_last_lines(
    options: DemoOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_place(monkeypatch, proxy=WAITS, backend=FAILS)

    assert main(options) == 1
    assert capsys.readouterr().err == (
        "upwire demo: upwire serve has ended with status 3:\n  no such file\n"
    )


def test_a_program_that_is_killed_is_said(
    options: DemoOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    put_in_place(monkeypatch, proxy=(sys.executable, "-c", program))

    assert main(options) == 1
    assert capsys.readouterr().err == "upwire demo: upwire proxy has ended by signal 9\n"


def test_a_path_that_does_not_answer_is_said(
    options: DemoOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_place(monkeypatch, proxy=WAITS)
    monkeypatch.setattr(launch, "READY_TIMEOUT_S", 0.1)

    assert main(options) == 1
    error = capsys.readouterr().err
    assert f"{options.url} is not ready after 0 s: [Errno 111] Connection refused" in error


def test_a_backend_that_is_killed_starts_again(
    options: DemoOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is killed when it runs first; the second time, it ends the demo."""
    seen = tmp_path / "seen"
    backend = (
        "import os, pathlib, signal\n"
        f"seen = pathlib.Path({str(seen)!r})\n"
        "if seen.exists():\n"
        f"    os.kill({os.getpid()}, signal.SIGINT)\n"
        "    signal.pause()\n"
        "seen.touch()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    put_in_place(monkeypatch, proxy=WAITS, backend=(sys.executable, "-c", backend))
    monkeypatch.setattr(launch, "RESTART_DELAY_S", 0.0)

    assert main(options) == 0
    address = options.backend_addresses[0]
    assert f"upwire serve on {address} was killed: it starts again." in capsys.readouterr().out


def test_a_redis_that_is_not_there_is_said_before_anything_starts(
    options: DemoOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(launch, "REDIS_TIMEOUT_S", 0.1)
    for url, why in (
        (f"unix://{tmp_path}/none.sock", f"unix://{tmp_path}/none.sock is not reached: "),
        ("http://x", "the URL of Redis begins with none of redis://, rediss://, unix://"),
    ):
        assert main(replace(options, redis=url)) == 1
        assert capsys.readouterr().err.startswith(f"upwire demo: {why}")


@needs_redis
def test_several_nodes_are_waited_for_and_told_of_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def ask(url: str) -> None:
        asked.append(url)

    monkeypatch.setattr(launch, "_ask", ask)
    put_in_place(monkeypatch, proxy=WAITS)
    monkeypatch.setattr(launch, "_has_display", lambda: os.kill(os.getpid(), signal.SIGINT))
    with running_redis(tmp_path) as server:
        options = options_of_nodes(2, server.url)

        assert main(options) == 0
    assert asked == [*(f"http://{address}/" for address in options.backend_addresses), options.url]
    assert "Ctrl-C stops all." in capsys.readouterr().out

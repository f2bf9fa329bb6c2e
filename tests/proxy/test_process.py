"""The proxy as its user has it: a process with a file, a terminal, and signals."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.nginx import (
    ACCEPT_FIELD,
    KEY_FIELD,
    WAIT_S,
    Backend,
    Running,
    answer_with,
    ask,
    environment,
    frame_conf,
    free_port,
    get,
    read_all,
    read_until,
    running,
    upwire_command,
    wait_until,
)
from upwire.proxy.master import SIGNALS, Master
from upwire.proxy.process import ProxyOptions, main
from upwire.proxy.service import resolve_name

HANDSHAKE = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY_FIELD}"
SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\n"
    f"Upgrade: websocket\r\nConnection: Upgrade\r\n{ACCEPT_FIELD}\r\n\r\n"
).encode()
RETURNING = "server {{ listen 127.0.0.1:{port}; return 200 {word}; }}"


def write(folder: Path, http: str, main: str = "") -> Path:
    path = folder / "nginx.conf"
    path.write_text(frame_conf(http, main))
    return path


# Reload, logs and the end


def test_a_reload_swaps_the_configuration(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    conf = frame_conf(RETURNING.format(port=port, word="old"))
    with running("upwire", conf, tmp_path, [port]) as proxy:
        assert get(port, "/").content == b"old"
        write(
            tmp_path,
            RETURNING.format(port=port, word="new") + RETURNING.format(port=other, word="more"),
        )
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: get(port, "/").content == b"new")
        assert get(other, "/").content == b"more"

        write(tmp_path, "no_such_directive on;")
        proxy.signal(signal.SIGHUP)
        log = proxy.wait_log("error.log", "[emerg] ")
        assert 'unknown directive "no_such_directive" in ' in log
        assert get(port, "/").content == b"new"

        write(tmp_path, RETURNING.format(port=other, word="only"))
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: get(other, "/").content == b"only")
        with pytest.raises(ConnectionRefusedError):
            get(port, "/")

        taken = socket.create_server(("127.0.0.1", 0))
        with taken:
            taken_port = taken.getsockname()[1]
            write(tmp_path, RETURNING.format(port=taken_port, word="never"))
            proxy.signal(signal.SIGHUP)
            log = proxy.wait_log("error.log", f"bind() to 127.0.0.1:{taken_port} failed (98: ")
        assert get(other, "/").content == b"only"


def test_a_reload_leaves_connections_their_configuration(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    conf = frame_conf(RETURNING.format(port=port, word="old"))
    with (
        running("upwire", conf, tmp_path, [port]) as proxy,
        socket.create_connection(("127.0.0.1", port), WAIT_S) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_until(sock, b"old").endswith(b"old")
        write(tmp_path, RETURNING.format(port=other, word="new"))
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: "configuration is in force" in proxy.error_log())
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert read_all(sock).endswith(b"old")


def test_logs_are_opened_anew(tmp_path: Path) -> None:
    port = free_port()
    with running(
        "upwire", frame_conf(RETURNING.format(port=port, word="x")), tmp_path, [port]
    ) as proxy:
        get(port, "/before")
        proxy.wait_log("access.log", "/before")
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        proxy.signal(signal.SIGUSR1)
        wait_until((tmp_path / "access.log").exists)
        get(port, "/after")
        assert "/before" not in proxy.wait_log("access.log", "/after")
        assert "/after" not in (tmp_path / "access.log.1").read_text()


def test_quit_lets_the_request_in_flight_end(tmp_path: Path) -> None:
    port = free_port()
    gate = socket.create_server(("127.0.0.1", 0))
    backend_port = gate.getsockname()[1]
    conf = frame_conf(
        f"server {{ listen 127.0.0.1:{port}; location / "
        f"{{ proxy_pass http://127.0.0.1:{backend_port}; }} }}"
    )
    with gate, running("upwire", conf, tmp_path, [port]) as proxy:
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            upstream, _ = gate.accept()
            with upstream:
                read_until(upstream, b"\r\n\r\n")
                proxy.signal(signal.SIGQUIT)
                wait_until(lambda: _refuses(port))
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
                assert read_all(sock).endswith(b"late")
        assert proxy.process.wait(WAIT_S) == 0
        assert not (tmp_path / "proxy.pid").exists()


def test_quit_waits_no_longer_than_worker_shutdown_timeout(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port, word="x"), "worker_shutdown_timeout 50ms;")
    with (
        running("upwire", conf, tmp_path, [port]) as proxy,
        socket.create_connection(("127.0.0.1", port), WAIT_S) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: get(port, "/").status == 200)
        proxy.signal(signal.SIGQUIT)
        read_all(sock)
        assert proxy.process.wait(WAIT_S) == 0


def _refuses(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


# The start


def run_upwire(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        upwire_command(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_signals_wait_for_their_handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(master: Master) -> None:
        assert set(SIGNALS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert (tmp_path / "proxy.pid").read_text() == f"{os.getpid()}\n"
        master.service.ports.close()

    path = write(tmp_path, RETURNING.format(port=free_port(), word="x"))
    monkeypatch.setattr(Master, "run", run)
    assert main(ProxyOptions(conf=str(path), quiet=True)) == 0
    assert not (tmp_path / "proxy.pid").exists()
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_port_in_use_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = write(tmp_path, RETURNING.format(port=port, word="x"))
        assert main(ProxyOptions(conf=str(path))) == 1
    assert capsys.readouterr().err == (
        f"upwire: [emerg] bind() to 127.0.0.1:{port} failed (98: Address already in use)"
        f" in {path}:16:17\n"
        "upwire: another process listens there: stop it, or change this listen\n"
    )


def test_a_daemon_leaves_the_terminal(tmp_path: Path) -> None:
    port = free_port()
    path = write(tmp_path, RETURNING.format(port=port, word="behind"))
    path.write_text(path.read_text().replace("daemon off;", "daemon on;"))
    done = run_upwire("-p", str(tmp_path), "-q")
    assert (done.returncode, done.stderr) == (0, "")
    pid = int(wait_until(lambda: _text_of(tmp_path / "proxy.pid")))
    try:
        wait_until(lambda: not _refuses(port))
        assert get(port, "/").content == b"behind"
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: _refuses(port))


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("flag", ["test", "dump"])
def test_a_right_configuration_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    path = write(tmp_path, "include extra.conf;")
    (tmp_path / "extra.conf").write_text("server { listen 127.0.0.1:1; }")
    assert main(ProxyOptions(conf=str(path), test=flag == "test", dump=flag == "dump")) == 0
    out, err = capsys.readouterr()
    notice, _, said = err.partition("\n")
    assert notice.startswith("upwire: [notice] accepted and not acted on: ")
    assert said == (
        f"upwire: the configuration file {path} syntax is ok\n"
        f"upwire: configuration file {path} test is successful\n"
    )
    dumped = f"# configuration file {tmp_path}/extra.conf:\nserver {{ listen 127.0.0.1:1; }}\n"
    assert (dumped in out) == (flag == "dump")


def test_a_wrong_configuration_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "wrong;\nserver { listen 127.0.0.1:1; nonsense on; }")
    assert main(ProxyOptions(conf=str(path), test=True)) == 1
    err = capsys.readouterr().err
    assert 'unknown directive "wrong"' in err
    assert 'unknown directive "nonsense"' in err
    assert err.endswith(f"upwire: configuration file {path} test failed\n")


def test_a_name_that_is_nowhere_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    http = "server { location / { proxy_pass http://nowhere.invalid:1; } }"
    path = write(tmp_path, http)
    assert main(ProxyOptions(conf=str(path), test=True)) == 1
    err = capsys.readouterr().err
    assert f'[emerg] host not found in upstream "nowhere.invalid" in {path}:' in err
    assert "\nupwire: --add-host nowhere.invalid=ADDRESS makes the name known\n" in err
    options = ProxyOptions(conf=str(path), test=True, quiet=True, add_host=("Nowhere.invalid=::1",))
    assert main(options) == 0
    assert capsys.readouterr().err == ""


def test_what_is_not_acted_on_is_listed_once(tmp_path: Path) -> None:
    port = free_port()
    path = write(
        tmp_path, RETURNING.format(port=port, word="x") + " image_filter_buffer 1m; userid on;"
    )
    process = subprocess.Popen(
        upwire_command("-c", str(path)), env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)
    assert line.startswith("upwire: [notice] accepted and not acted on: ")
    assert line.count("image_filter_buffer (nginx.conf:") == 1


@pytest.mark.parametrize(("options", "text"), [("-v", "upwire/"), ("-V", "nginx/1.31.5")])
def test_the_version(capsys: pytest.CaptureFixture[str], options: str, text: str) -> None:
    assert main(ProxyOptions(brief=options == "-v", build=options == "-V")) == 0
    assert text in capsys.readouterr().err


def test_a_default_that_is_not_there_says_what_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ProxyOptions(prefix=str(tmp_path))) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert f'"{tmp_path}/nginx.conf" failed (2: No such file or directory)' in first
    assert second.startswith("upwire: -c FILE names another; nginx.conf ")
    assert main(ProxyOptions(conf="other.conf", prefix=str(tmp_path))) == 1
    assert "-c FILE" not in capsys.readouterr().err


def test_what_guards_is_warned_of_even_quietly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, RETURNING.format(port=1, word="x") + " disable_symlinks on;")
    assert main(ProxyOptions(conf=str(path), test=True, quiet=True)) == 0
    assert re.fullmatch(
        r"upwire: \[warn\] symbolic links ARE followed: Upwire does not act on disable_symlinks yet"
        rf" in {path}:16:\d+\n",
        capsys.readouterr().err,
    )


def test_where_it_listens_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(master: Master) -> None:
        master.service.ports.close()
        if master.service.status is not None:
            asyncio.run(master.service.status.close())
        master.service.close()

    monkeypatch.setattr(Master, "run", run)
    port = free_port()
    http = RETURNING.format(port=port, word="x") + f"server {{ listen unix:{tmp_path}/s; }}"
    path = write(tmp_path, http)
    assert main(ProxyOptions(conf=str(path))) == 0
    where = f"127.0.0.1:{port}, unix:{tmp_path}/s ({path})"
    assert capsys.readouterr().err.splitlines()[-1] == f"upwire: listening on {where}"
    assert main(ProxyOptions(conf=str(path), status="[::1]:0")) == 0
    assert f"{where}, status on [::1]:" in capsys.readouterr().err
    assert main(ProxyOptions(conf=str(path), quiet=True)) == 0
    assert capsys.readouterr().err == ""


def test_a_name_that_dns_cannot_express_is_not_found() -> None:
    with pytest.raises(OSError, match="not a host name"):
        resolve_name("a" * 64)


def test_literal_addresses_resolve_to_themselves() -> None:
    assert resolve_name("127.0.0.1") == ["127.0.0.1"]
    assert resolve_name("[::1]") == ["::1"]


# A running proxy: tunnels and their ends, the status

TUNNELS = """
    server {{
        listen 127.0.0.1:{port};
        location /ws {{
            proxy_pass http://backend:{backend};
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_http_version 1.1;
        }}
        location /ws/brief {{
            proxy_pass http://backend:{backend};
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 50ms;
        }}
        location /literal {{
            proxy_pass http://backend:{backend};
            proxy_set_header Upgrade websocket;
            proxy_set_header Connection "upgrade";
        }}
        location /unknown {{ fastcgi_pass 127.0.0.1:1; }}
        location /status {{ stub_status; }}
        location /variable {{ proxy_pass http://$arg_to$request_uri; }}
    }}
"""


def tunnel_script(sock: socket.socket, request: bytes) -> None:
    """Switch; read to the client's end, and answer behind it with how much there was."""
    sock.sendall(SWITCH)
    if b"/ws/reset" in request:
        read_until(sock, b"now")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        return
    received = read_all(sock)
    sock.sendall(b"got %d" % len(received))
    sock.shutdown(socket.SHUT_RDWR)


@dataclass
class Site:
    proxy: Running
    port: int
    status_port: int

    def status(self) -> dict[str, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.status_port, timeout=WAIT_S)
        connection.request("GET", "/")
        answer: dict[str, dict[str, object]] = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def open_tunnel(self, path: str) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n{HANDSHAKE}\r\n\r\n".encode())
        assert b" 101 " in read_until(sock, b"\r\n\r\n")
        return sock


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tunnels")
    port, status_port = free_port(), free_port()
    with Backend(tunnel_script) as backend:
        conf = frame_conf(TUNNELS.format(port=port, backend=backend.port))
        status = f"127.0.0.1:{status_port}"
        options = ("--add-host", "backend=127.0.0.1", "--status", status)
        with running("upwire", conf, folder, [port, status_port], *options) as proxy:
            yield Site(proxy, port, status_port)


def test_a_half_close_carries_what_is_in_flight(site: Site) -> None:
    with site.open_tunnel("/ws/half") as sock:
        sock.sendall(b"x" * 300_000)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"got 300000"


def test_a_timeout_is_named_in_the_log(site: Site) -> None:
    with site.open_tunnel("/ws/brief") as sock:
        assert read_all(sock) == b""
    log = site.proxy.wait_log("error.log", "GET /ws/brief")
    line = next(line for line in log.splitlines() if "GET /ws/brief" in line)
    assert "[warn]" in line
    assert "while proxying upgraded connection: nothing moved for 0.05 s" in line
    assert 'the proxy_read_timeout of location "/ws/brief" in ' in line
    assert "nginx.conf:" in line


def test_an_upstream_that_dies_in_the_tunnel(site: Site) -> None:
    with site.open_tunnel("/ws/reset") as sock:
        sock.sendall(b"now")
        assert read_all(sock) == b""
    log = site.proxy.wait_log("error.log", "GET /ws/reset")
    assert "upstream connection lost" in log
    assert " 101 " in site.proxy.wait_log("access.log", "GET /ws/reset")


def test_another_protocol_than_websocket_passes_as_it_comes(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), WAIT_S) as sock:
        sock.sendall(b"GET /ws/reset/raw HTTP/1.1\r\nHost: h\r\nUpgrade: raw\r\n\r\n")
        assert b" 101 " in read_until(sock, b"\r\n\r\n")
        sock.sendall(b"\x81\x7fnow")  # of a frame, half a header
        assert read_all(sock) == b""
    site.proxy.wait_log("error.log", "GET /ws/reset/raw")


def test_a_switch_that_the_client_did_not_ask_for(site: Site) -> None:
    assert get(site.port, "/literal").status == 502
    site.proxy.wait_log("error.log", "upstream switched protocols unasked")


def test_a_handler_that_is_not_acted_on_serves_no_files(site: Site) -> None:
    assert get(site.port, "/unknown").status == 501
    site.proxy.wait_log("error.log", '"fastcgi_pass" is not acted on')


def test_an_address_from_a_variable(site: Site) -> None:
    with Backend(answer_with("HTTP/1.1 200 OK\nContent-Length: 4\n\nthis")) as backend:
        assert get(site.port, f"/variable?to=127.0.0.1:{backend.port}").content == b"this"
        assert backend.heads[0].startswith(f"GET /variable?to=127.0.0.1:{backend.port} HTTP/1.1")
    assert get(site.port, "/variable?to=nowhere.invalid").status == 502
    assert get(site.port, "/variable").status == 500


def test_the_status_counts_what_is_open(site: Site) -> None:
    before = site.status()
    with site.open_tunnel("/ws/count") as sock:
        sock.sendall(b"\x81\x01a\x81\x01b")
        wait_until(lambda: _has_more(site.status(), before, messages=2))
        during = site.status()
        assert during["tunnels"]["open"] == 1
        assert during["connections"]["active"] == 1
    wait_until(lambda: site.status()["tunnels"]["open"] == 0)


def _has_more(
    now: dict[str, dict[str, object]], before: dict[str, dict[str, object]], *, messages: int
) -> bool:
    def count(status: dict[str, dict[str, object]]) -> int:
        sent = status["tunnels"]["from_clients"]
        assert isinstance(sent, dict)
        number = sent["messages"]
        assert isinstance(number, int)
        return number

    return count(now) - count(before) == messages


def test_the_status_answers_nothing_else(site: Site) -> None:
    assert get(site.status_port, "/other").status == 404
    assert get(site.status_port, "/", method="DELETE").status == 405


def test_nginxs_own_status(site: Site) -> None:
    assert get(site.port, "/status").content.startswith(b"Active connections: 1 \nserver accepts")
    assert get(site.port, "/status", method="POST").status == 405


def test_a_client_that_stalls_is_left_without_an_answer(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf("client_header_timeout 50ms;" + RETURNING.format(port=port, word="x"))
    with running("upwire", conf, tmp_path, [port]) as proxy:
        assert ask_silently(port, b"GET / HTTP/1.1\r\nHost") == b""
        assert '"" 408' in proxy.wait_log("access.log", " 408 ").replace('"-"', '""')
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
            sock.sendall(b"GET / HT")
        proxy.wait_log("access.log", " 400 ")
        assert ask(port, "GET / HTTP/1.0\r\n\r\n").content == b"x"


def ask_silently(port: int, octets: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
        sock.sendall(octets)
        return read_all(sock)

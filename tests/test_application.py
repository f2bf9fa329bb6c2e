"""`upwire serve`: what its options are and do, and a whole run."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import upwire
from kit.serving import serving
from upwire import application
from upwire.application import ServeOptions
from upwire.errors import UpwireError

SOURCE = """
import upwire

routes = upwire.Routes()

@routes.websocket("/shout")
async def shout(ws):
    async for message in ws:
        await ws.send(message.upper())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module, on sys.path, and not kept imported."""
    (tmp_path / "shouting.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shouting", raising=False)
    return tmp_path


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_wrong_usage(port: int) -> None:
    with pytest.raises(ValueError, match="0 to 65535"):
        ServeOptions(target="a:b", port=port)


def test_a_limit_below_one_octet_is_wrong_usage() -> None:
    with pytest.raises(ValueError, match="--max-message-octets takes 1 or more"):
        ServeOptions(target="a:b", max_message_octets=0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"reload": True, "workers": 2}, "--reload runs one worker"),
        ({"workers": 0}, "--workers takes 1 or more"),
        ({"limit_concurrency": 0}, "--limit-concurrency takes 1 or more"),
        ({"ws_max_queue": 0}, "--ws-max-queue takes 1 or more"),
        ({"timeout_graceful_shutdown": 0}, "--timeout-graceful-shutdown takes more than 0 s"),
        ({"timeout_keep_alive": -1}, "--timeout-keep-alive takes more than 0 s"),
        ({"reload_delay": float("nan")}, "--reload-delay takes more than 0 s"),
        ({"ws_ping_interval": -1}, "take 0 s or more"),
        ({"ssl_cert_reqs": 3}, "--ssl-cert-reqs takes 0, 1 or 2"),
        ({"ssl_cert_reqs": 2}, "--ssl-cert-reqs needs --ssl-ca-certs"),
        ({"lifespan": "never"}, "--lifespan takes auto, on, off"),
        ({"log_level": "loud"}, "--log-level takes critical"),
    ],
)
def test_what_cannot_be_is_wrong_usage(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ServeOptions(target="a:b", **options)


def test_a_key_needs_its_certificate() -> None:
    with pytest.raises(ValueError, match="needs --certificate"):
        ServeOptions(target="a:b", certificate_key="key.pem")


@pytest.mark.usefixtures("folder")
def test_options_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}  # Any: run()'s keyword arguments

    def run(*arguments: Any, **options: Any) -> None:
        given.update(options, arguments=arguments)

    monkeypatch.setattr(application, "run_application", run)
    monkeypatch.setattr(application, "tls_context", lambda files: files.certificate)
    options = ServeOptions(
        target="shouting:routes",
        port=1,
        origin=("https://example.org",),
        subprotocol=("chat",),
        certificate="chain.pem",
        max_message_octets=5,
    )
    assert application.main(options) == 0
    assert given["arguments"][1:] == ("127.0.0.1", 1)
    assert given["origins"] == ("https://example.org",)
    assert given["subprotocols"] == ("chat",)
    assert given["ssl"] == "chain.pem"
    assert given["max_message_octets"] == 5


@pytest.mark.usefixtures("folder")
def test_a_port_in_use_names_the_option_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(UpwireError, match=rf"{port}: .*; choose another with --port"):
            application.main(ServeOptions(target="shouting:shout", port=port))


def test_a_socket_s_path_in_use_names_its_own_option(folder: Path) -> None:
    path = folder / "taken"
    path.write_text("no socket")
    with pytest.raises(UpwireError, match=r"taken: .*; choose another with --uds"):
        application.main(ServeOptions(target="shouting:shout", unix=str(path)))


@pytest.mark.usefixtures("folder")
def test_other_faults_of_an_address_are_the_listener_s() -> None:
    with pytest.raises(UpwireError, match=r'^cannot load certificate "no such certificate"'):
        application.main(
            ServeOptions(target="shouting:shout", port=0, certificate="no such certificate")
        )


@pytest.mark.usefixtures("folder")
def test_the_environment_s_workers_are_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "many")
    with pytest.raises(UpwireError, match=r"\$WEB_CONCURRENCY is a number of workers, not 'many'"):
        application.main(ServeOptions(target="shouting:shout"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_descriptor_that_is_no_socket(folder: Path, workers: int) -> None:
    with (folder / "file").open("wb") as file:
        options = ServeOptions(target="shouting:shout", fd=file.fileno(), workers=workers)
        with pytest.raises(
            UpwireError, match=rf"--fd {file.fileno()}: .*not a socket|on non-socket"
        ):
            application.main(options)


@pytest.mark.usefixtures("folder")
def test_a_folder_to_watch_has_to_be_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(UpwireError, match="missing is no folder that could be watched"):
        application.main(
            ServeOptions(target="shouting:shout", port=0, reload=True, reload_dir=(missing,))
        )


def test_a_whole_run(folder: Path) -> None:
    path = folder / "socket"

    async def run() -> None:
        async with serving(folder, "shouting:routes", "--unix", str(path)) as process:
            assert process.stderr is not None
            line = await process.stderr.readline()
            assert str(path).encode() in line
            async with upwire.connect("ws://localhost/shout", unix=str(path)) as ws:
                await ws.send("hey")
                assert await ws.recv() == "HEY"
                process.send_signal(signal.SIGTERM)
                with pytest.raises(upwire.ConnectionClosed) as closed:
                    await ws.recv()
                assert closed.value.code == 1001
            assert await process.wait() == 0

    asyncio.run(run())


def test_a_port_in_use_is_one_line(folder: Path) -> None:
    async def run(port: int) -> tuple[int | None, bytes]:
        async with serving(folder, "shouting:routes", "--port", str(port)) as process:
            _, errors = await process.communicate()
            return process.returncode, errors

    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        status, errors = asyncio.run(run(port))
    assert status == 1
    assert errors.startswith(b"upwire serve: ")
    assert str(port).encode() in errors
    assert errors.count(b"\n") == 1


def test_a_signal_before_the_workers_leaves_no_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "socket"

    def signalled(options: ServeOptions) -> None:
        assert path.exists()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(application, "_changes", signalled)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        application.main(ServeOptions(target="shouting:routes", unix=str(path), reload=True))
    assert not path.exists()
    assert signal.getsignal(signal.SIGTERM) is before

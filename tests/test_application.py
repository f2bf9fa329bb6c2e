"""`upwire serve`: what is found by its name, what is said when nothing is, and a whole run."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import upwire
from upwire import application
from upwire.application import ServeOptions
from upwire.asgi.loading import load
from upwire.errors import UpwireError

SOURCE = """
import functools
import upwire

routes = upwire.Routes()

@routes.websocket("/shout")
async def shout(ws):
    async for message in ws:
        await ws.send(message.upper())

class Holder:
    handler = staticmethod(shout)

    def answer(self, ws):
        return None

class Callable:
    async def __call__(self, ws):
        await ws.close()

@functools.wraps(shout)
def decorated(ws):
    return shout(ws)

def plain(ws):
    return None

called = Callable()
method = Holder().answer
number = 5
"""
RUN_TIMEOUT_S = 30


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules, on sys.path, and none of them kept imported."""
    (tmp_path / "shouting.py").write_text(SOURCE)
    (tmp_path / "needing.py").write_text("import missing_dependency\n")
    (tmp_path / "broken.py").write_text("\nprint(undefined)\n")
    (tmp_path / "cut.py").write_text("\n\nroutes = (\n")
    (tmp_path / "ending.py").write_text("raise SystemExit('bye')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shouting", "needing", "broken", "cut", "ending"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_an_application_is_found_by_its_name() -> None:
    assert isinstance(load("shouting:routes"), upwire.Routes)
    assert load("shouting:shout") is load("shouting:Holder.handler")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["decorated", "called"])
def test_what_gives_an_awaitable_is_a_handler(name: str) -> None:
    assert callable(load(f"shouting:{name}"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("shouting", "'shouting' is not MODULE:NAME"),
        (":handler", "is not MODULE:NAME"),
        ("shouting:", "is not MODULE:NAME"),
        (".shouting:handler", "is not MODULE:NAME"),
        ("shouting..deep:handler", "is not MODULE:NAME"),
        ("nowhere:handler", "there is no module nowhere in this folder"),
        ("nowhere.deep:handler", "there is no module nowhere in this folder"),
        ("shouting.deep:handler", "there is no module shouting.deep in this folder"),
        ("needing:handler", "cannot import needing: No module named 'missing_dependency'"),
        ("broken:handler", r"NameError: name 'undefined' is not defined, at .*broken\.py:2"),
        ("cut:handler", r"SyntaxError: '\(' was never closed \(cut\.py, line 3\)$"),
        ("ending:handler", r"cannot import ending: SystemExit: bye, at .*ending\.py:1"),
        ("shouting:nothing", "module shouting has no 'nothing'"),
        ("shouting:Holder.nothing", "module shouting has no 'Holder.nothing'"),
        ("shouting:number", "shouting:number: 5 is not an async function; a handler is"),
        ("shouting:plain", "shouting:plain: <function plain .* is not async; a handler is"),
        ("shouting:method", "is not async; a handler is"),
        ("shouting:Holder", "is not an async function; a handler is"),
    ],
)
def test_what_is_not_there_is_named(target: str, complaint: str) -> None:
    with pytest.raises(UpwireError, match=complaint):
        load(target)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_wrong_usage(port: int) -> None:
    with pytest.raises(ValueError, match="0 to 65535"):
        ServeOptions(target="a:b", port=port)


def test_a_limit_below_one_octet_is_wrong_usage() -> None:
    with pytest.raises(ValueError, match="--max-message-octets takes 1 or more"):
        ServeOptions(target="a:b", max_message_octets=0)


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


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `upwire serve` in a folder; end it if it is still there."""
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths))}
    command = [sys.executable, "-m", "upwire", "serve", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def test_a_whole_run(folder: Path) -> None:
    path = folder / "socket"

    async def run() -> None:
        async with running(folder, "shouting:routes", "--unix", str(path)) as process:
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
        async with running(folder, "shouting:routes", "--port", str(port)) as process:
            _, errors = await process.communicate()
            return process.returncode, errors

    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        status, errors = asyncio.run(run(port))
    assert status == 1
    assert errors.startswith(b"upwire serve: ")
    assert str(port).encode() in errors
    assert errors.count(b"\n") == 1

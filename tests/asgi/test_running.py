"""`run_asgi()`, in this process: what a signal does, and what is as it was behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import upwire
from kit.asgi import Receive, Send
from upwire.asgi import running
from upwire.asgi.loop_watch import ExitDeadline
from upwire.client.connecting import connect
from upwire.errors import ConnectionClosed, UpwireError
from upwire.server import Server

Scope = dict[str, Any]  # Any: as ASGI has it
HANDSHAKE = b"""GET / HTTP/1.1\r
Host: localhost\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
\r
"""


class Application:
    """Notes what it is told; `on_start` runs as a task once the server is up."""

    def __init__(self, on_start: Any) -> None:
        self.notes: list[str] = []
        self._on_start = on_start
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            self._task = asyncio.create_task(self._on_start())
            await receive()
            self.notes.append("shutdown")
            await self._task
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await receive()
            await send({"type": "websocket.accept"})
            self.notes.append(str((await receive()).get("code")))


def stop(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A socket that listens already: who connects before the server starts waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def url(sock: socket.socket) -> str:
    return f"ws://127.0.0.1:{sock.getsockname()[1]}/"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(
    number: signal.Signals, sock: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    where = url(sock)

    async def on_start() -> None:
        ws = await connect(where)
        stop(number)
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.code == 1012

    application = Application(on_start)
    before = signal.getsignal(number)
    upwire.run_asgi(application, sock=sock, lifespan="on")
    assert application.notes == ["1012", "shutdown"]
    assert signal.getsignal(number) is before
    assert where.removeprefix("ws") in capsys.readouterr().err


def test_a_second_signal_cuts_what_is_left(sock: socket.socket) -> None:
    host, port = sock.getsockname()

    async def on_start() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        stop()
        assert await reader.readexactly(4) == b"\x88\x12\x03\xf4"  # a Close with 1012
        stop()
        await reader.read()  # it is not answered, and the connection ends all the same
        writer.close()

    application = Application(on_start)
    upwire.run_asgi(application, sock=sock, ws_ping_interval=0, ws_ping_timeout=None)
    assert application.notes[-1] == "shutdown"


def test_a_unix_socket_is_everybody_s(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    modes: list[int] = []

    def note(server: Server) -> None:
        modes.append(os.stat(path).st_mode & 0o777)
        stop()

    application = upwire.AsgiApplication(Application(None), lifespan="off")
    running.run_application(application, None, 0, uds=path, on_start=note)
    assert modes == [0o666]
    assert not os.path.exists(path)


def test_the_reserve_for_the_lifespan_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def serve(*arguments: Any, **options: Any) -> Server:
        given.append(options)
        raise UpwireError("enough")

    monkeypatch.setattr(running, "serve", serve)
    for timeout_s in (10.0, 1.0):
        with pytest.raises(UpwireError, match="enough"):
            upwire.run_asgi(Application(None), timeout_graceful_shutdown=timeout_s)
    assert [one["stop_timeout_s"] for one in given] == [8.0, 0.5]
    assert {one["stop_close_code"] for one in given} == {1012}


def test_what_cannot_start_leaves_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[ExitDeadline] = []
    monkeypatch.setattr(ExitDeadline, "cancel", lambda self: ended.append(self))
    with pytest.raises(UpwireError, match="port is"):
        upwire.run_asgi(Application(None), port=-1)
    assert len(ended) == 1

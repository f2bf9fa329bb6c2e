"""run(): what it says, and how signals stop it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

import upwire
from upwire.errors import ConfigError
from upwire.net.websocket import WebSocket
from upwire.server import Request, Response, Server, running


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_stops_at_a_signal(number: int) -> None:
    seen: list[Server] = []

    def on_start(server: Server) -> None:
        seen.append(server)
        os.kill(os.getpid(), number)

    upwire.run(echo, port=0, on_start=on_start)
    assert len(seen) == 1


def test_run_stops_at_once_at_a_second_signal() -> None:
    clients: list[socket.socket] = []

    def on_start(server: Server) -> None:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        clients.append(client)

    async def wait(request: Request) -> Response | None:
        os.kill(os.getpid(), signal.SIGTERM)
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
        return None

    upwire.run(echo, port=0, process_request=wait, on_start=on_start, stop_timeout_s=60)
    assert clients[0].recv(100) == b""
    clients[0].close()


def stop_when_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a signal behind each line that run() says."""
    say = running._say

    def say_and_stop(line: str) -> None:
        say(line)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(running, "_say", say_and_stop)


def test_run_says_where_it_listens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stop_when_said(monkeypatch)
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    upwire.run(echo, sock=sock)
    line = f"upwire: listening on ws://127.0.0.1:{port}/ (Ctrl-C stops)\n"
    assert capsys.readouterr() == ("", line)
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    upwire.run(echo, sock=sock, ssl=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    assert f"on wss://127.0.0.1:{port}/ (" in capsys.readouterr().err
    path = tmp_path / "app.sock"
    upwire.run(echo, unix=str(path))
    assert f"on unix:{path} (" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "shown"), [(1, "1 connection"), (2, "2 connections")])
def test_run_says_what_a_stop_waits_for(
    count: int,
    shown: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "WAIT_SHOWN_AFTER_S", 0.0)
    stop_when_said(monkeypatch)
    clients: list[socket.socket] = []

    def on_start(server: Server) -> None:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            clients.append(client)

    asked: list[Request] = []

    async def wait(request: Request) -> Response | None:
        asked.append(request)
        if len(asked) == count:
            os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        return None

    upwire.run(echo, port=0, process_request=wait, on_start=on_start, stop_timeout_s=60)
    expected = f"upwire: waiting up to 60 s for {shown}; Ctrl-C again stops at once\n"
    assert capsys.readouterr() == ("", expected)
    for client in clients:
        client.close()


def test_run_says_nothing_more_where_nothing_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "WAIT_SHOWN_AFTER_S", 0.0)
    stop_when_said(monkeypatch)
    upwire.run(echo, port=0)
    assert capsys.readouterr().err.count("\n") == 1


def test_run_says_once_that_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: ") as raised:
            upwire.run(echo, port=port)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__

"""An echo server of ours in a thread, for clients that block."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import upwire
from upwire.server import WebSocketHandler


async def _echo(ws: upwire.WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


@contextlib.contextmanager
def echo_server(
    tls: ssl.SSLContext | None = None,
    *,
    deflate: bool = True,
    handler: WebSocketHandler = _echo,
) -> Iterator[int]:
    """Run the server, or one with another handler; give its port on 127.0.0.1."""
    port: Future[int] = Future()
    end: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(handler, tls, deflate, port, end)))
    thread.start()
    try:
        yield port.result(10)
    finally:
        loop, event = end.result(10)
        loop.call_soon_threadsafe(event.set)
        thread.join()


async def _serve(
    handler: WebSocketHandler,
    tls: ssl.SSLContext | None,
    deflate: bool,
    port: Future[int],
    end: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]],
) -> None:
    event = asyncio.Event()
    end.set_result((asyncio.get_running_loop(), event))
    async with upwire.serve(
        handler, "127.0.0.1", 0, ssl=tls, deflate=deflate, stop_timeout_s=0.0
    ) as server:
        port.set_result(server.port)
        await event.wait()

"""An ASGI application on a server of ours, and a plain HTTP client for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import upwire
from upwire.server import Server

DEADLINE_S = 20.0

Message = dict[str, Any]  # Any: as ASGI has it
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine, within a time."""

    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[Server]:
    """Serve an application, or whatever serve() takes; options are an AsgiApplication's."""
    if not isinstance(app, (upwire.Routes, upwire.AsgiApplication)):
        app = upwire.AsgiApplication(app, **options)
    async with upwire.serve(
        app, "127.0.0.1", 0, stop_timeout_s=1.0, stop_close_code=1012, close_timeout_s=0.5
    ) as server:
        yield server


async def ask(server: Server, *requests: str, ends: bool = False) -> str:
    """Send requests on one connection; return all that comes until the server ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write("".join(requests).encode("latin-1"))
    if ends:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode("latin-1")


def get(
    path: str, *fields: str, method: str = "GET", body: str = "", persists: bool = False
) -> str:
    """Return a request; the connection ends behind it, unless it persists."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if not persists:
        lines.append("Connection: close")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body])


def url(server: Server, path: str = "/") -> str:
    """Return the URL of a WebSocket on a server."""
    return f"ws://127.0.0.1:{server.port}{path}"

"""A page of the demo: the client's end of a WebSocket in memory, behind its handshake."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from kit.memory_stream import memory_pair
from upwire.net.websocket import WebSocket, WebSocketOptions
from upwire.wire.handshake import ServerPolicy, build_request, check_request, make_key
from upwire.wire.websocket import Role

OPTIONS = WebSocketOptions(ping_interval_s=None, deflate=None)


class Page:
    """What a page does; ws is its WebSocket, serving the server's handler of it."""

    def __init__(self, ws: WebSocket, serving: asyncio.Task[None]) -> None:
        self.ws = ws
        self.serving = serving

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send(json.dumps({"type": kind, **fields}))

    async def next(self, kind: str) -> dict[str, Any]:
        """Return the next message of this type, and pass over others."""
        while True:
            data = await self.ws.recv()
            if isinstance(data, str):
                message: dict[str, Any] = json.loads(data)
                if message["type"] == kind:
                    return message

    async def next_picture(self) -> bytes:
        """Return the next binary message, and pass over others."""
        while True:
            data = await self.ws.recv()
            if isinstance(data, bytes):
                return data


@contextlib.asynccontextmanager
async def open_page(
    handler: Callable[[WebSocket], Awaitable[None]],
    target: str = "/ws",
    *,
    path_params: dict[str, str] | None = None,
) -> AsyncIterator[Page]:
    """Connect a page to a handler; at the end the page goes, and the handler must end too."""
    near, far = memory_pair()
    request = build_request("demo.example", target, make_key(bytes(16)))
    accepted = check_request(request, ServerPolicy())
    response = accepted.response()
    client = WebSocket(near, Role.CLIENT, request, response, accepted, options=OPTIONS)
    server = WebSocket(
        far, Role.SERVER, request, response, accepted, options=OPTIONS, path_params=path_params
    )

    async def serve() -> None:
        async with server:
            await handler(server)

    page = Page(client, asyncio.create_task(serve()))
    try:
        yield page
    finally:
        await client.close()
        await page.serving

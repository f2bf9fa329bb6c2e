"""A browser's tab that speaks the protocol of rooms with a handler, in memory."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from kit.memory_stream import memory_pair
from upwire.errors import ConnectionClosed, RemoteProtocolError
from upwire.net.websocket import WebSocket, WebSocketOptions
from upwire.wire.handshake import ServerPolicy, build_request, check_request, make_key
from upwire.wire.websocket import Role

_OPTIONS = WebSocketOptions(ping_interval_s=None, deflate=None)


class Tab:
    """A browser's end.

    pushes: those that came so far and were not taken. welcome: what the application has told.
    """

    def __init__(self, ws: WebSocket) -> None:
        self.ws = ws
        self.pushes: list[dict[str, Any]] = []
        self.welcome: Any = None
        self._ids = itertools.count(1)

    async def post(self, method: str, **fields: Any) -> int:
        """Send a command; return its id."""
        number = next(self._ids)
        await self.ws.send(json.dumps({"id": number, "method": method, **fields}))
        return number

    async def ask(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return the result of a command; an AssertionError tells that it was refused."""
        reply = await self.reply_to(await self.post(method, **fields))
        assert "result" in reply, reply
        result: dict[str, Any] = reply["result"]
        return result

    async def refused(self, method: str, **fields: Any) -> str:
        """Return the code with which a command is refused."""
        reply = await self.reply_to(await self.post(method, **fields))
        code: str = reply["error"]["code"]
        return code

    async def reply_to(self, number: int | None) -> dict[str, Any]:
        while True:
            message = await self.read()
            if "push" not in message and message["id"] == number:
                return message
            self.pushes.append(message)

    async def push(self, kind: str) -> dict[str, Any]:
        """Return the next push of a kind; others before it are passed over."""
        while True:
            message = self.pushes.pop(0) if self.pushes else await self.read()
            if message.get("push") == kind:
                return message

    async def read(self) -> dict[str, Any]:
        """Return the next message; octets of a publication are its data."""
        data = await self.ws.recv()
        if isinstance(data, str):
            message: dict[str, Any] = json.loads(data)
            return message
        push, _, octets = data.partition(b"\n")
        return {**json.loads(push), "data": octets}


@asynccontextmanager
async def open_tab(
    handler: Callable[[WebSocket], Awaitable[None]],
    *,
    target: str = "/ws",
    is_connected: bool = True,
) -> AsyncIterator[Tab]:
    """Open a tab; is_connected: its first command is done already. At the end the handler ends."""
    near, far = memory_pair()
    request = build_request("demo.example", target, make_key(bytes(16)))
    accepted = check_request(request, ServerPolicy())
    response = accepted.response()
    client = WebSocket(near, Role.CLIENT, request, response, accepted, options=_OPTIONS)
    server = WebSocket(far, Role.SERVER, request, response, accepted, options=_OPTIONS)
    serving = asyncio.create_task(_serve(handler, server))
    tab = Tab(client)
    try:
        if is_connected:
            tab.welcome = (await tab.ask("connect", version=1))["welcome"]
        yield tab
    finally:
        await client.close()
        await serving


async def _serve(handler: Callable[[WebSocket], Awaitable[None]], ws: WebSocket) -> None:
    """Take what the handler raises as a server does."""
    async with ws:
        try:
            await handler(ws)
        except ConnectionClosed:
            pass
        except RemoteProtocolError as error:
            ws.begin_close(error.close_code, error.message)

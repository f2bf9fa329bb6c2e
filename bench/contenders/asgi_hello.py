"""An ASGI application that greets, for the servers that take one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]  # as ASGI defines it

HELLO = b"Hello, world!"
FIELDS = [(b"content-type", b"text/plain"), (b"content-length", b"13")]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": FIELDS})
        await send({"type": "http.response.body", "body": HELLO})

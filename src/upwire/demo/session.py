"""One page's WebSocket, read and written side by side until one of the two ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from upwire.demo.messages import handshake, violation
from upwire.demo.race import until_first
from upwire.errors import ConnectionClosed, RemoteProtocolError
from upwire.net.websocket import WebSocket
from upwire.wire.frames import CloseCode

OUTBOX_MESSAGES_MAX = 2048  # a full chat that comes and goes at once is no slow page

Hear = Callable[[str | bytes], None]
Sender = Callable[[WebSocket], Coroutine[Any, Any, None]]


class Outbox:
    """What waits to be sent to one page, so that a slow page never holds up another."""

    def __init__(self, messages_max: int = OUTBOX_MESSAGES_MAX) -> None:
        self.messages: deque[str] = deque()
        self._messages_max = messages_max
        self._has_some = asyncio.Event()
        self._is_overfull = asyncio.Event()

    def put(self, message: str) -> None:
        """Add a message, without waiting; one too many ends the page's session."""
        if len(self.messages) < self._messages_max:
            self.messages.append(message)
            self._has_some.set()
        else:
            self._is_overfull.set()

    async def send_to(self, ws: WebSocket) -> None:
        """Send what comes, for ever."""
        while True:
            await self._has_some.wait()
            while self.messages:
                await ws.send(self.messages.popleft())
            self._has_some.clear()

    async def refuse_overflow(self) -> None:
        """Wait until a message did not fit. Raises RemoteProtocolError (1013) then."""
        await self._is_overfull.wait()
        raise violation("you read too slowly", CloseCode.TRY_AGAIN_LATER)


async def converse(ws: WebSocket, outbox: Outbox, hear: Hear, *senders: Sender) -> None:
    """Tell the page its handshake, then receive and send until one of the two ends.

    hear: acts on each message. senders: send for ever what does not go through the outbox.
    A page that goes is no error; one that broke a rule is told so in its Close.
    """
    try:
        await ws.send(handshake(ws))
        await until_first(
            _receive(ws, hear),
            outbox.refuse_overflow(),
            outbox.send_to(ws),
            *(send(ws) for send in senders),
        )
    except ConnectionClosed:
        pass
    except RemoteProtocolError as error:
        await ws.close(error.close_code, error.message)


async def _receive(ws: WebSocket, hear: Hear) -> None:
    async for data in ws:
        hear(data)

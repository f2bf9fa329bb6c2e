"""One page's WebSocket, read and written side by side until one of the two ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

from upwire.demo.messages import violation
from upwire.demo.race import until_first
from upwire.errors import ConnectionClosed, RemoteProtocolError
from upwire.net.websocket import WebSocket
from upwire.wire.frames import CloseCode

OUTBOX_MESSAGES_MAX = 256


class Outbox:
    """What waits to be sent to one page, so that a slow page never holds up another."""

    def __init__(self, messages_max: int = OUTBOX_MESSAGES_MAX) -> None:
        self._messages: deque[str] = deque()
        self._messages_max = messages_max
        self._has_some = asyncio.Event()
        self._is_overfull = asyncio.Event()

    def put(self, message: str) -> None:
        """Add a message, without waiting; one too many ends the page's session."""
        if len(self._messages) < self._messages_max:
            self._messages.append(message)
            self._has_some.set()
        else:
            self._is_overfull.set()

    async def send_to(self, ws: WebSocket) -> None:
        """Send what comes, for ever."""
        while True:
            await self._has_some.wait()
            while self._messages:
                await ws.send(self._messages.popleft())
            self._has_some.clear()

    async def refuse_overflow(self) -> None:
        """Wait until a message did not fit. Raises RemoteProtocolError (1013) then."""
        await self._is_overfull.wait()
        raise violation("you read too slowly", CloseCode.TRY_AGAIN_LATER)


async def converse(ws: WebSocket, *steps: Coroutine[Any, Any, None]) -> None:
    """Run the steps side by side until the first ends, then stop the others.

    A page that goes is no error; one that broke a rule is told so in its Close.
    """
    try:
        await until_first(*steps)
    except ConnectionClosed:
        pass
    except RemoteProtocolError as error:
        await ws.close(error.close_code, error.message)

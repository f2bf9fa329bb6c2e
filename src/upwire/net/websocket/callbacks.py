"""`Callbacks`: what is called with the messages of a WebSocket, where no task receives them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from upwire.errors import ConnectionClosed

if TYPE_CHECKING:
    from upwire.net.websocket.websocket import WebSocket

APPLICATION_FAILURES = (Exception, asyncio.CancelledError)
"""How a callback fails; it is no task, so what was cancelled is a future that it has asked."""


class Callbacks:
    """The methods that a WebSocket calls; a subclass has those that it wants.

    One object may serve any number of WebSockets: what is of one of them goes to its context.
    They run in the event loop between two reads, so none of them waits. One that fails is
    logged, and closes its WebSocket with 1011.
    """

    __slots__ = ()

    def on_open(self, ws: WebSocket) -> None:
        """Take a WebSocket, before its messages."""

    def on_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Take a message: text as str, binary as bytes. Not called behind a Close of ours."""

    def on_close(self, ws: WebSocket, closed: ConnectionClosed) -> None:
        """Take the end, once, behind the last message; nothing can be sent any more."""

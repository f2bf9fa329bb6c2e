"""A room that is published to over and over, while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from upwire.demo.handshake import describe_handshake
from upwire.demo.race import until_first
from upwire.net.websocket import WebSocket
from upwire.rooms import Action, BrowserLimits, Info, RoomLimits, Rooms, browser_handler

PAGE_LIMITS = BrowserLimits(ping_interval_s=2)  # each page shows its round trip


class Broadcast:
    """Pages that read the one room; its rooms live in memory.

    publish: publishes to the rooms that it is given until it is cancelled.
    """

    def __init__(
        self,
        room: str,
        publish: Callable[[Rooms], Coroutine[object, object, None]],
        *,
        limits: RoomLimits,
    ) -> None:
        def may(action: Action, name: str, ws: WebSocket, info: Info) -> bool:
            return name == room and action in (Action.JOIN, Action.HISTORY)

        self._rooms = Rooms(limits=limits, may=may)
        self._publish = publish
        self._serve = browser_handler(self._rooms, welcome=describe_handshake, limits=PAGE_LIMITS)
        self._publishing: asyncio.Task[None] | None = None
        self._pages = 0

    async def serve(self, ws: WebSocket) -> None:
        """Serve a page. The first one starts the publishing, and the last one ends it.

        Raises what the publishing raises.
        """
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish(self._rooms))
        self._pages += 1
        try:
            await until_first(self._serve(ws), _end_of(self._publishing))
        finally:
            self._pages -= 1
            if not self._pages:
                self._publishing.cancel()
                self._publishing = None


async def _end_of(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)

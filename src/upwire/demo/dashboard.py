"""The dashboard: one measurement every quarter of a second, for whoever looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from upwire.demo.broadcast import Broadcast
from upwire.demo.metrics import Sample
from upwire.rooms import HistoryLimits, RoomLimits, Rooms

ROOM = "dashboard"
INTERVAL_S = 0.25
HISTORY_S = 60.0


class Dashboard(Broadcast):
    """Tells every page the last minute, then each new sample. take: measures, off the loop."""

    def __init__(
        self, take: Callable[[], Awaitable[Sample]], *, interval_s: float = INTERVAL_S
    ) -> None:
        history = HistoryLimits(messages=round(HISTORY_S / interval_s), ttl_s=HISTORY_S)
        super().__init__(ROOM, self._measure, limits=RoomLimits(history=history))
        self._take = take
        self._interval_s = interval_s

    async def _measure(self, rooms: Rooms) -> None:
        """Publish a sample in each interval; after a pause, none of those that were left out."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + self._interval_s
            sample = await self._take()
            await rooms.publish(ROOM, json.dumps(asdict(sample)))
            await asyncio.sleep(due_s - loop.time())

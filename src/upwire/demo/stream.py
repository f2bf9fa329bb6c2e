"""The stream: pictures at a steady rate, of which a slow page gets fewer."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable

from upwire.demo.broadcast import Broadcast
from upwire.demo.plasma import HEIGHT, WIDTH, paint
from upwire.rooms import HistoryLimits, OutboxLimits, RoomLimits, Rooms, SlowPolicy

ROOM = "stream"
PICTURES_PER_S = 30

# A page without a window gets the newest picture that its connection has room for.
_LIMITS = RoomLimits(
    history=HistoryLimits(messages=0),
    outbox=OutboxLimits(policy=SlowPolicy.LATEST_BY_KEY),
)
_KEY = "picture"

# Number, width, height, and when it was painted, in milliseconds since 1970; big-endian.
_HEAD = struct.Struct(">IHHd")


def picture(number: int) -> bytes:
    """Return one picture with its head."""
    return _HEAD.pack(number, WIDTH, HEIGHT, time.time() * 1000) + paint(number)


class Stream(Broadcast):
    """One animation for all pages. Its pictures are counted from when it was made."""

    def __init__(
        self,
        *,
        pictures_per_s: float = PICTURES_PER_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(ROOM, self._paint, limits=_LIMITS)
        self._pictures_per_s = pictures_per_s
        self._now_s = now_s
        self._began_s = now_s()

    async def _paint(self, rooms: Rooms) -> None:
        """Publish the picture of each moment, and no picture that is late."""
        number = self._number()
        while True:
            number = max(number + 1, self._number())
            due_s = self._began_s + number / self._pictures_per_s
            await asyncio.sleep(due_s - self._now_s())
            await rooms.publish(ROOM, picture(number), key=_KEY)

    def _number(self) -> int:
        return int((self._now_s() - self._began_s) * self._pictures_per_s)

"""The stream: pictures at a steady rate, of which a slow page gets fewer."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache, partial

from upwire.demo.messages import decode, encode, pong, violation
from upwire.demo.plasma import HEIGHT, WIDTH, paint
from upwire.demo.session import Outbox, converse
from upwire.net.websocket import WebSocket

PICTURES_PER_S = 30
WINDOW_MAX = 16

# Number, width, height, and when it was painted, in milliseconds since 1970; big-endian.
_HEAD = struct.Struct(">IHHd")


class Pacer:
    """Decides which picture a page gets next, so that few are on their way to it.

    window: so many pictures may be sent and not yet shown; 0 for no limit.
    """

    def __init__(self, window: int = 4) -> None:
        self.window = window
        self._on_the_way: deque[int] = deque(maxlen=WINDOW_MAX)
        self._has_changed = asyncio.Event()

    def sent(self, number: int) -> None:
        """Note that a picture is on its way."""
        self._on_the_way.append(number)

    def shown(self, number: int) -> None:
        """Note that the page has shown a picture, and all before it."""
        while self._on_the_way and self._on_the_way[0] <= number:
            self._on_the_way.popleft()
        self._has_changed.set()

    def resize(self, window: int) -> None:
        """Set another window."""
        self.window = window
        self._has_changed.set()

    def can_send(self) -> bool:
        """Whether another picture may go on its way."""
        return not self.window or len(self._on_the_way) < self.window

    async def wait_for_room(self) -> None:
        """Wait until another picture may go."""
        while not self.can_send():
            self._has_changed.clear()
            await self._has_changed.wait()


@lru_cache(maxsize=4)
def picture(number: int) -> bytes:
    """Return one binary message; computed once for all pages that show it at this time."""
    return _HEAD.pack(number, WIDTH, HEIGHT, time.time() * 1000) + paint(number)


class Stream:
    """One animation for all pages. Its pictures are counted from when it was made."""

    def __init__(
        self,
        *,
        pictures_per_s: float = PICTURES_PER_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pictures_per_s = pictures_per_s
        self._now_s = now_s
        self._began_s = now_s()

    async def serve(self, ws: WebSocket) -> None:
        pacer, outbox = Pacer(), Outbox()
        await converse(ws, outbox, partial(_hear, pacer, outbox), partial(self._send, pacer))

    async def _send(self, pacer: Pacer, ws: WebSocket) -> None:
        """Send the picture of this moment, and no picture that is late."""
        number = self._number()
        while True:
            await pacer.wait_for_room()
            number = max(number + 1, self._number())
            await self._wait_until(number)
            pacer.sent(number)
            await ws.send(picture(number))

    def _number(self) -> int:
        return int((self._now_s() - self._began_s) * self._pictures_per_s)

    async def _wait_until(self, number: int) -> None:
        due_s = self._began_s + number / self._pictures_per_s
        await asyncio.sleep(due_s - self._now_s())


def _hear(pacer: Pacer, outbox: Outbox, data: str | bytes) -> None:
    match decode(data):
        case {"type": "ping"} as message:
            outbox.put(pong(message))
        case {"type": "shown", "number": int(number)}:
            pacer.shown(number)
        case {"type": "window", "pictures": int(window)} if 0 <= window <= WINDOW_MAX:
            pacer.resize(window)
            outbox.put(encode("window", pictures=window))
        case _:
            raise violation("unknown message")

"""The dashboard: one measurement every quarter of a second, for whoever looks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial

from upwire.demo.messages import Message, decode, encode, pong, violation
from upwire.demo.metrics import Sample
from upwire.demo.session import Outbox, converse
from upwire.net.websocket import WebSocket

INTERVAL_S = 0.25
HISTORY_SAMPLES = 240  # a minute


class Feed:
    """Samples taken once for all who wait for one, and only while somebody does.

    take: measures, off the event loop.
    """

    def __init__(
        self, take: Callable[[], Awaitable[Sample]], *, interval_s: float = INTERVAL_S
    ) -> None:
        self.history: deque[Message] = deque(maxlen=HISTORY_SAMPLES)
        self.count = 0
        self._take = take
        self._interval_s = interval_s
        self._due_s = 0.0
        self._turn = asyncio.Lock()

    async def next(self, after: int) -> tuple[int, Message]:
        """Return the newest sample and its number, which is greater than after.

        Whoever comes first takes the sample; the others wait and find it taken. A page that
        comes late has missed some, and gets only the newest.
        """
        async with self._turn:
            if self.count <= after:
                await self._measure()
            return self.count, self.history[-1]

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._due_s - loop.time())
        self._due_s = loop.time() + self._interval_s
        self.history.append(asdict(await self._take()))
        self.count += 1


class Dashboard:
    """Sends every page the last minute, then each new sample that the page has time for."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def serve(self, ws: WebSocket) -> None:
        outbox = Outbox()
        await converse(ws, outbox, partial(_hear, outbox), self._send)

    async def _send(self, ws: WebSocket) -> None:
        await ws.send(encode("history", samples=list(self._feed.history)))
        number = self._feed.count
        while True:
            number, sample = await self._feed.next(number)
            await ws.send(encode("sample", **sample))


def _hear(outbox: Outbox, data: str | bytes) -> None:
    message = decode(data)
    if message.get("type") != "ping":
        raise violation("unknown message")
    outbox.put(pong(message))

"""Pings: their round trips, and those that keep a connection alive."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

from upwire.errors import ConnectionClosed, LocalProtocolError

TICK_S = 0.25
"""How much later than asked a keepalive ping may go out: those of a tick share one timer."""


class Pinged(Protocol):
    """The connection that pings are of."""

    has_heard: bool
    """Set by it when octets come from the peer."""

    @property
    def unsent_octets(self) -> int:
        """How many octets were sent and wait, since the peer does not take them."""

    def _send_ping(self, payload: bytes) -> None:
        """Send a ping with that payload."""

    def _give_up_on_silence(self) -> None:
        """Take that a ping stays unanswered, and that nothing else came."""

    def _is_deaf(self) -> bool:
        """Whether this side does not read, so that it cannot know."""


class Pings:
    """The pings of one connection that wait for their pongs, and the keepalive's clock.

    A keepalive ping goes out interval_s after the last pong; None pings never. One that stays
    unanswered for timeout_s while nothing else comes ends the connection; None waits for ever.

    latency_s: the last round trip; None before the first.
    """

    __slots__ = (
        "_due",
        "_interval_s",
        "_is_stopped",
        "_keepalive",
        "_pinged",
        "_timeout_s",
        "_waiting",
        "latency_s",
    )

    def __init__(
        self, pinged: Pinged, *, interval_s: float | None, timeout_s: float | None
    ) -> None:
        self.latency_s: float | None = None
        self._pinged: Pinged | None = pinged
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._waiting: dict[bytes, _Ping] | None = None  # by payload, in the order of sending
        self._keepalive = b""  # the payload of its last ping
        self._due: set[Pings] | None = None  # those of one tick of the clock, this among them
        self._is_stopped = False
        self._arm(interval_s)

    async def ping(self, payload: bytes) -> float:
        """Send a ping and return its round trip in seconds.

        Raises TimeoutError past timeout_s, ConnectionClosed when the connection ends before.
        """
        assert self._pinged is not None
        if self._waiting is not None and payload in self._waiting:
            raise LocalProtocolError("a ping with this payload waits for its pong already")
        self._pinged._send_ping(payload)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[float] = loop.create_future()
        self._note(payload, _Ping(loop.time(), waiter))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await waiter
        finally:
            self._forget(payload)

    def acknowledge(self, payload: bytes) -> None:
        """Take a pong. It answers the pings before its own as well. RFC 6455 §5.5.3."""
        if self._waiting is None or payload not in self._waiting:
            return
        now_s = asyncio.get_running_loop().time()
        waiting = list(self._waiting.items())
        for sent, ping in waiting:
            self._forget(sent)
            self.latency_s = now_s - ping.sent_s
            if ping.waiter is not None and not ping.waiter.done():
                ping.waiter.set_result(self.latency_s)
            if sent == self._keepalive:
                self._arm(self._interval_s)
            if sent == payload:
                return

    def stop(self) -> None:
        """Send no more keepalive pings."""
        self._is_stopped = True
        self._disarm()

    def end(self, make_error: Callable[[], ConnectionClosed]) -> None:
        """Stop, and raise an error of its own at everybody who waits for a pong.

        Nothing can be sent behind this: it lets go of its owner, which would otherwise wait for
        the garbage collector, and with it a compressor of 256 KiB.
        """
        self.stop()
        self._pinged = None
        for ping in (self._waiting or {}).values():
            if ping.waiter is not None and not ping.waiter.done():
                ping.waiter.set_exception(make_error())

    def _note(self, payload: bytes, ping: _Ping) -> None:
        if self._waiting is None:
            self._waiting = {}
        self._waiting[payload] = ping

    def _forget(self, payload: bytes) -> _Ping | None:
        """Remove a ping from those that wait, and return it if it was there."""
        if self._waiting is None:
            return None
        ping = self._waiting.pop(payload, None)
        if not self._waiting:
            self._waiting = None  # it would keep 200 octets
        return ping

    def _arm(self, after_s: float | None) -> None:
        self._disarm()
        if after_s is not None and not self._is_stopped:
            self._due = _clock().add(self, after_s)

    def _disarm(self) -> None:
        if self._due is not None:
            self._due.discard(self)
            self._due = None

    def keep_alive(self) -> None:
        """Send a keepalive ping, or give up: it is time."""
        self._due = None
        assert self._pinged is not None
        is_unanswered = self._waiting is not None and self._keepalive in self._waiting
        is_silent = not self._pinged.has_heard and not self._pinged._is_deaf()
        if is_unanswered and is_silent and self._timeout_s is not None:
            self._pinged._give_up_on_silence()
            return
        self._pinged.has_heard = False
        if not (is_unanswered and self._pinged.unsent_octets):  # the last may still be among them
            self._ping_anew()
        self._arm(self._interval_s if self._timeout_s is None else self._timeout_s)

    def _ping_anew(self) -> None:
        """Send a keepalive ping in place of the last."""
        assert self._pinged is not None
        self._forget(self._keepalive)
        self._keepalive = secrets.token_bytes(4)
        self._note(self._keepalive, _Ping(asyncio.get_running_loop().time()))
        self._pinged._send_ping(self._keepalive)


@dataclass(frozen=True, slots=True)
class _Ping:
    """A ping that waits for its pong; the keepalive's has nobody who waits with it."""

    sent_s: float
    waiter: asyncio.Future[float] | None = None


class _Clock:
    """The keepalive of all connections of a loop: a timer for each tick at which one is due.

    A timer of asyncio's for each connection has 400 octets.
    """

    def __init__(self) -> None:
        self._due: dict[int, set[Pings]] = {}  # by tick, in TICK_S since the loop's beginning

    def add(self, pings: Pings, after_s: float) -> set[Pings]:
        """Call keep_alive() in that time; return the set to take it out of, where it need not."""
        loop = asyncio.get_running_loop()
        tick = math.ceil((loop.time() + after_s) / TICK_S)
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = set()
            loop.call_at(tick * TICK_S, self._ring, tick)
        due.add(pings)
        return due

    def _ring(self, tick: int) -> None:
        due = self._due.pop(tick)
        while due:
            due.pop().keep_alive()


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clock] = WeakKeyDictionary()


def _clock() -> _Clock:
    """Return the running loop's clock, made for its first connection."""
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is None:
        clock = _clocks[loop] = _Clock()
    return clock

"""Pings: their round trips, and those that keep a connection alive."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from upwire.errors import ConnectionClosed, LocalProtocolError


class Pings:
    """The pings of one connection that wait for their pongs, and the keepalive's clock.

    send_ping sends one with that payload. give_up is called when a keepalive ping stays
    unanswered for timeout_s and nothing else came in that time, unless is_deaf() says that
    this side does not read, so that it cannot know. interval_s is the time from a pong to the
    next keepalive ping; None pings never, and timeout_s None waits for ever.

    latency_s: the last round trip; None before the first.
    has_heard: set when octets come from the peer.
    """

    __slots__ = (
        "_give_up",
        "_interval_s",
        "_is_deaf",
        "_is_stopped",
        "_keepalive",
        "_loop",
        "_send_ping",
        "_timeout_s",
        "_timer",
        "_waiting",
        "has_heard",
        "latency_s",
    )

    def __init__(
        self,
        send_ping: Callable[[bytes], None],
        give_up: Callable[[], None],
        is_deaf: Callable[[], bool],
        *,
        interval_s: float | None,
        timeout_s: float | None,
    ) -> None:
        self.latency_s: float | None = None
        self.has_heard = False
        self._send_ping = send_ping
        self._give_up = give_up
        self._is_deaf = is_deaf
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[bytes, _Ping] = {}  # by payload, in the order of sending
        self._keepalive = b""  # the payload of its last ping
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False
        self._arm(interval_s)

    async def ping(self, payload: bytes) -> float:
        """Send a ping and return its round trip in seconds.

        Raises TimeoutError past timeout_s, ConnectionClosed when the connection ends before.
        """
        if payload in self._waiting:
            raise LocalProtocolError("a ping with this payload waits for its pong already")
        self._send_ping(payload)
        waiter: asyncio.Future[float] = self._loop.create_future()
        self._waiting[payload] = _Ping(self._loop.time(), waiter)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await waiter
        finally:
            self._waiting.pop(payload, None)

    def acknowledge(self, payload: bytes) -> None:
        """Take a pong. It answers the pings before its own as well. RFC 6455 §5.5.3."""
        if payload not in self._waiting:
            return
        now_s = self._loop.time()
        waiting = list(self._waiting)
        for sent in waiting[: waiting.index(payload) + 1]:
            ping = self._waiting.pop(sent)
            self.latency_s = now_s - ping.sent_s
            if ping.waiter is not None and not ping.waiter.done():
                ping.waiter.set_result(self.latency_s)
            if sent == self._keepalive:
                self._arm(self._interval_s)

    def stop(self) -> None:
        """Send no more keepalive pings."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def end(self, make_error: Callable[[], ConnectionClosed]) -> None:
        """Stop, and raise an error of its own at everybody who waits for a pong.

        Nothing can be sent behind this: it lets go of its owner, which would otherwise wait for
        the garbage collector, and with it a compressor of 256 KiB.
        """
        self.stop()
        del self._send_ping, self._give_up, self._is_deaf
        for ping in self._waiting.values():
            if ping.waiter is not None and not ping.waiter.done():
                ping.waiter.set_exception(make_error())

    def _arm(self, after_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if after_s is not None and not self._is_stopped:
            self._timer = self._loop.call_later(after_s, self._keep_alive)

    def _keep_alive(self) -> None:
        is_unanswered = self._waiting.pop(self._keepalive, None) is not None
        is_silent = not self.has_heard and not self._is_deaf()
        if is_unanswered and is_silent and self._timeout_s is not None:
            self._give_up()
            return
        self.has_heard = False
        self._keepalive = secrets.token_bytes(4)
        self._waiting[self._keepalive] = _Ping(self._loop.time())
        self._send_ping(self._keepalive)
        self._arm(self._interval_s if self._timeout_s is None else self._timeout_s)


@dataclass(frozen=True, slots=True)
class _Ping:
    """A ping that waits for its pong; the keepalive's has nobody who waits with it."""

    sent_s: float
    waiter: asyncio.Future[float] | None = None

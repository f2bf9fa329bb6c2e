"""The connections to an upstream's peers that are kept open for later requests."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from upwire.conf.model import Keepalive
from upwire.errors import StreamError
from upwire.net.http1 import HttpClientConnection
from upwire.proxy.upstream.peers import PeerAddress

Clock = Callable[[], float]
"""Seconds that only grow."""


@dataclass(slots=True)
class UpstreamConnection:
    """A connection to a peer. group: who may use it again, such as those with equal TLS settings.

    opened_s: when it was made, by the upstream's clock.
    """

    http: HttpClientConnection
    address: PeerAddress
    group: Hashable
    opened_s: float
    requests: int = 0
    is_reused: bool = False

    def close(self) -> None:
        """Close it, once what was written is sent."""
        self.http.stream.close()


class IdleConnections:
    """The kept connections of one upstream, the latest first; the oldest gives way."""

    __slots__ = ("_clock", "_is_closing", "_kept", "_settings")

    def __init__(self, settings: Keepalive, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._kept: list[tuple[UpstreamConnection, float]] = []  # and when its time is over
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, address: PeerAddress, group: Hashable) -> UpstreamConnection | None:
        """Return a connection to address that is still open, or None."""
        self.drop_expired()
        for index, (connection, _) in enumerate(self._kept):
            is_there = connection.address is address or connection.address == address
            if is_there and connection.group == group:
                del self._kept[index]
                connection.http.stream.push_to(None)
                connection.is_reused = True
                return connection
        return None

    def keep(self, connection: UpstreamConnection) -> bool:
        """Keep a connection for later; False, and it is the caller's, where it may not be."""
        now_s = self._clock()
        connection.requests += 1
        is_worn = (
            connection.requests >= self._settings.requests
            or now_s - connection.opened_s > self._settings.time_s
        )
        if self._is_closing or is_worn or not connection.http.is_reusable:
            return False
        if len(self._kept) >= self._settings.connections:
            self._kept.pop()[0].close()
        self._kept.insert(0, (connection, now_s + self._settings.timeout_s))
        connection.http.stream.push_to(_Watch(self, connection))
        return True

    def close(self) -> None:
        """Close all, and keep none from now on."""
        self._is_closing = True
        while self._kept:
            self._kept.pop()[0].close()

    def drop(self, connection: UpstreamConnection) -> None:
        """Close an idle connection whose peer closed it, or sent what nobody asked for."""
        self._kept = [kept for kept in self._kept if kept[0] is not connection]
        connection.close()

    def drop_expired(self) -> None:
        """Close the connections that nobody used for `keepalive_timeout`."""
        now_s = self._clock()
        while self._kept and self._kept[-1][1] <= now_s:
            self._kept.pop()[0].close()


class _Watch:
    """A sink for an idle connection: whatever it hears ends the connection."""

    __slots__ = ("_connection", "_idle")

    def __init__(self, idle: IdleConnections, connection: UpstreamConnection) -> None:
        self._idle = idle
        self._connection = connection

    def octets_received(self, octets: bytes) -> None:
        self._idle.drop(self._connection)

    def eof_received(self) -> None:
        self._idle.drop(self._connection)

    def stream_lost(self, error: StreamError | None) -> None:
        self._idle.drop(self._connection)

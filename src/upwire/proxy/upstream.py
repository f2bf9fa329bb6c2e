"""Which peer of an upstream gets a request, how failures count, and the idle connections.

Choosing is nginx's smooth weighted round robin: each choice adds every peer's weight to its score,
takes the highest, and lowers that by the sum, so that a peer of weight 5 among 1 and 1 never gets
five requests in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from upwire.conf.model import Keepalive, Peer
from upwire.errors import StreamError
from upwire.net.http1 import HttpClientConnection

Clock = Callable[[], float]
"""Seconds that only grow."""


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer listens: host is a literal address, unix a socket's path (host is then "")."""

    host: str
    port: int
    unix: str | None = None

    def __str__(self) -> str:
        if self.unix is not None:
            return f"unix:{self.unix}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class PeerState:
    """A peer, how it did lately, and its place in the round robin."""

    __slots__ = (
        "accessed_s",
        "address",
        "checked_s",
        "connections",
        "current_weight",
        "effective_weight",
        "fails",
        "peer",
        "requests",
    )

    def __init__(self, peer: Peer, address: PeerAddress) -> None:
        self.peer = peer
        self.address = address
        self.current_weight = 0
        self.effective_weight = peer.weight
        self.connections = 0
        self.requests = 0
        self.fails = 0
        self.accessed_s = float("-inf")
        self.checked_s = float("-inf")

    def can_take(self, now_s: float) -> bool:
        """Whether the peer may be chosen: not down, not full, not failed within fail_timeout."""
        peer = self.peer
        has_failed = peer.max_fails > 0 and self.fails >= peer.max_fails
        return (
            not peer.down
            and not (peer.max_conns and self.connections >= peer.max_conns)
            and not (has_failed and now_s - self.checked_s <= peer.fail_timeout_s)
        )


class Upstreams:
    """The peers of one upstream, in two groups: the backups stand in when no other can take.

    clock: monotonic seconds. keepalive: None keeps no idle connections.
    """

    __slots__ = ("_groups", "_is_single", "clock", "idle", "name")

    def __init__(
        self,
        name: str,
        peers: Sequence[PeerState],
        *,
        keepalive: Keepalive | None,
        clock: Clock,
    ) -> None:
        self.name = name
        self.clock = clock
        self._groups = tuple(
            group
            for group in (
                [state for state in peers if not state.peer.backup],
                [state for state in peers if state.peer.backup],
            )
            if group
        )
        self._is_single = len(peers) == 1
        self.idle = IdleConnections(keepalive, clock) if keepalive else None

    @property
    def peers(self) -> list[PeerState]:
        """All peers, the backups last."""
        return [state for group in self._groups for state in group]

    def select(self) -> Selection:
        """Begin choosing for one request."""
        tries = sum(not state.peer.down for state in self.peers)
        return Selection(self, tries)

    def choose(self, tried: set[PeerState]) -> PeerState | None:
        """Return the peer for the next try, None when no peer can take it."""
        now_s = self.clock()
        for group in self._groups:
            state = self._choose_only(group[0]) if self._is_single else choose(group, tried, now_s)
            if state is not None:
                state.connections += 1
                state.requests += 1
                return state
        return None

    def release(self, state: PeerState, *, has_failed: bool) -> bool:
        """Count how a try ended; True when that made the peer unavailable.

        A peer that is the only one is never taken out.
        """
        state.connections -= 1
        if self._is_single:
            state.fails = 0
            return False
        if not has_failed:
            if state.accessed_s < state.checked_s:
                state.fails = 0
            return False
        return self._count_failure(state)

    def _choose_only(self, state: PeerState) -> PeerState | None:
        is_full = state.peer.max_conns and state.connections >= state.peer.max_conns
        return None if state.peer.down or is_full else state

    def _count_failure(self, state: PeerState) -> bool:
        peer = state.peer
        state.fails += 1
        state.accessed_s = state.checked_s = self.clock()
        if not peer.max_fails:
            return False
        state.effective_weight = max(0, state.effective_weight - peer.weight // peer.max_fails)
        return state.fails >= peer.max_fails


def choose(group: Sequence[PeerState], tried: set[PeerState], now_s: float) -> PeerState | None:
    """Return the next peer of the smooth weighted round robin that was not tried yet."""
    best: PeerState | None = None
    total = 0
    for state in group:
        if state in tried or not state.can_take(now_s):
            continue
        state.current_weight += state.effective_weight
        total += state.effective_weight
        if state.effective_weight < state.peer.weight:
            state.effective_weight += 1
        if best is None or state.current_weight > best.current_weight:
            best = state
    if best is None:
        return None
    best.current_weight -= total
    if now_s - best.checked_s > best.peer.fail_timeout_s:
        best.checked_s = now_s
    return best


class Selection:
    """The tries of one request: no peer twice, and no more tries than there are peers."""

    __slots__ = ("_tried", "tries_left", "upstreams")

    def __init__(self, upstreams: Upstreams, tries: int) -> None:
        self.upstreams = upstreams
        self.tries_left = tries
        self._tried: set[PeerState] = set()

    def next(self) -> PeerState | None:
        """Return the peer to try now, None when none is left."""
        state = self.upstreams.choose(self._tried)
        if state is not None:
            self._tried.add(state)
        return state

    def release(self, state: PeerState, *, has_failed: bool, was_reused: bool = False) -> bool:
        """Count how a try ended; True when that made the peer unavailable.

        was_reused: on a kept connection, which the peer may close at any time, so that a failure
        there does not use up a try.
        """
        is_disabled = self.upstreams.release(state, has_failed=has_failed)
        if self.tries_left and not (was_reused and has_failed):
            self.tries_left -= 1
        return is_disabled


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


class Hold:
    """A peer that a request has in hand, with the connection to it; `release()` gives both back."""

    __slots__ = ("_selection", "connection", "state")

    def __init__(self, selection: Selection, state: PeerState) -> None:
        self._selection = selection
        self.state = state
        self.connection: UpstreamConnection | None = None

    def take_idle(self, group: Hashable) -> bool:
        """Use an idle connection to the peer, if one is kept."""
        idle = self._selection.upstreams.idle
        self.connection = idle.take(self.state.address, group) if idle is not None else None
        return self.connection is not None

    def use(self, http: HttpClientConnection, group: Hashable) -> None:
        """Use a connection that was just made."""
        opened_s = self._selection.upstreams.clock()
        self.connection = UpstreamConnection(http, self.state.address, group, opened_s)

    def release(self, *, has_failed: bool) -> bool:
        """Count how the try ended, keep the connection or close it; True: the peer is out now."""
        connection, self.connection = self.connection, None
        was_reused = connection is not None and connection.is_reused
        if connection is not None:
            idle = self._selection.upstreams.idle
            if has_failed or idle is None or not idle.keep(connection):
                connection.close()
        return self._selection.release(self.state, has_failed=has_failed, was_reused=was_reused)


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
            if connection.address == address and connection.group == group:
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
        self.drop_expired()
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

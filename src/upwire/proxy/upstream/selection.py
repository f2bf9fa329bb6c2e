"""One upstream as requests meet it: a peer for each try, and how each try ended."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext

from upwire.conf.model import Balance, Keepalive
from upwire.conf.variables import Lookup
from upwire.net.http1 import HttpClientConnection
from upwire.proxy.upstream.balance import (
    LEAST_CONNECTIONS,
    ROUND_ROBIN,
    Balancer,
    ConsistentHash,
    Hash,
    IpHash,
    Random,
    Ring,
)
from upwire.proxy.upstream.keepalive import Clock, IdleConnections, UpstreamConnection
from upwire.proxy.upstream.peers import PeerGroup, PeerState
from upwire.proxy.upstream.sharing import Sharing

_PLAIN = Balance()
_ALONE = nullcontext()


class Upstreams:
    """The peers of one upstream, in two groups: the backups stand in when no other can take.

    clock: monotonic seconds. keepalive: None keeps no idle connections. sharing: None keeps the
    state of the peers to this process.
    """

    __slots__ = (
        *("_balance", "_groups", "_ring", "_sharing", "_tries", "clock", "idle", "keepalive"),
        "name",
    )

    def __init__(
        self,
        name: str,
        peers: Sequence[PeerState],
        *,
        keepalive: Keepalive | None,
        clock: Clock,
        balance: Balance = _PLAIN,
        sharing: Sharing | None = None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.keepalive = keepalive
        self.idle = IdleConnections(keepalive, clock) if keepalive else None
        self._balance = balance
        self._sharing = sharing
        self._groups: tuple[PeerGroup, ...] = ()
        self._ring = Ring(())
        self._tries = 0
        self.use_peers(peers)

    @property
    def peers(self) -> list[PeerState]:
        """All peers, the backups last."""
        return [state for group in self._groups for state in group.peers]

    def use_peers(self, peers: Sequence[PeerState]) -> None:
        """Choose among peers from the next request on."""
        first = [state for state in peers if not state.peer.backup]
        backups = [state for state in peers if state.peer.backup]
        groups = [PeerGroup(first, is_single=len(first) == 1 and not backups)]
        if backups:
            groups.append(PeerGroup(backups, is_single=False))
        self._groups = tuple(groups)
        self._tries = sum(not (state.peer.down or state.peer.drain) for state in peers)
        if self._balance.is_consistent:
            self._ring = Ring(first)
        if self._sharing is not None:
            self._sharing.use_peers(peers)

    def exclusive(self, held: PeerState | None = None) -> AbstractContextManager[None]:
        """Keep other processes from the state of the peers; held: a peer in a request's hand."""
        return _ALONE if self._sharing is None else self._sharing.exclusive(held)

    def select(self, lookup: Lookup) -> Selection:
        """Begin choosing for one request; lookup gives its variables, for the hashing methods."""
        return Selection(self, self._groups, self._balancer(lookup), self._tries)

    def _balancer(self, lookup: Lookup) -> Balancer:
        balance = self._balance
        match balance.method:
            case "hash" if balance.key is not None:
                key = balance.key.render(lookup).encode("latin-1")
                return ConsistentHash(key, self._ring) if balance.is_consistent else Hash(key)
            case "ip_hash":
                return IpHash(lookup("remote_addr") or "")
            case "least_conn":
                return LEAST_CONNECTIONS
            case "random":
                return Random(is_of_two=balance.is_of_two)
        return ROUND_ROBIN


class Selection:
    """The tries of one request: no peer twice, and no more tries than there are peers."""

    __slots__ = ("_balancer", "_groups", "_tried", "tries_left", "upstreams")

    def __init__(
        self,
        upstreams: Upstreams,
        groups: Sequence[PeerGroup],
        balancer: Balancer,
        tries: int,
    ) -> None:
        self.upstreams = upstreams
        self.tries_left = tries
        self._groups = list(groups)
        self._balancer = balancer
        self._tried: set[PeerState] = set()

    def next(self) -> PeerState | None:
        """Return the peer to try now, None when none is left.

        Once the backups were asked, no other peer is.
        """
        now_s = self.upstreams.clock()
        with self.upstreams.exclusive():
            while self._groups:
                state = self._balancer.choose(self._groups[0], self._tried, now_s)
                if state is not None:
                    self._tried.add(state)
                    state.begin(now_s)
                    return state
                del self._groups[0]
        return None

    def release(self, state: PeerState, *, has_failed: bool, was_reused: bool = False) -> bool:
        """Count how a try ended; True when that made the peer unavailable.

        was_reused: the try failed on a kept connection, which the peer may close at any time, so
        that it does not use up a try.
        """
        is_single = bool(self._groups) and self._groups[0].is_single
        if self.tries_left and not was_reused:
            self.tries_left -= 1
        with self.upstreams.exclusive(state):
            state.connections -= 1
            if is_single:
                state.fails = 0
            elif has_failed:
                return state.fail(self.upstreams.clock())
            else:
                state.succeed()
        return False


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

    def leave_connection(self) -> PeerState:
        """Count the try as a success, and leave its connection to a tunnel.

        Returns the peer, whose `connections` still has that one.
        """
        self.connection = None
        self.release(has_failed=False)
        self.state.connections += 1
        return self.state

    def release(self, *, has_failed: bool, is_lost: bool = False) -> bool:
        """Count how the try ended, keep the connection or close it; True: the peer is out now.

        is_lost: the connection ended before an answer, which costs no try where it was reused.
        """
        connection, self.connection = self.connection, None
        was_reused = connection is not None and connection.is_reused
        if connection is not None:
            idle = self._selection.upstreams.idle
            if has_failed or idle is None or not idle.keep(connection):
                connection.close()
        return self._selection.release(
            self.state, has_failed=has_failed, was_reused=was_reused and is_lost
        )

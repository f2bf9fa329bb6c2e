"""The peers of an upstream and how they did lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upwire.conf.model import Peer


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
        "name",
        "peer",
        "requests",
    )

    def __init__(self, peer: Peer, address: PeerAddress) -> None:
        self.peer = peer
        self.address = address
        self.name = str(address)
        self.current_weight = 0
        self.effective_weight = peer.weight
        self.connections = 0
        self.requests = 0
        self.fails = 0
        self.accessed_s = float("-inf")
        self.checked_s = float("-inf")

    def can_take(self, now_s: float) -> bool:
        """Whether the peer may be chosen: not down, not full, not failed within fail_timeout."""
        return not self.peer.drain and self.can_take_bound(now_s)

    def can_take_bound(self, now_s: float) -> bool:
        """The same for a request that `sticky` binds to the peer, which may be draining."""
        peer = self.peer
        has_failed = peer.max_fails > 0 and self.fails >= peer.max_fails
        return (
            not peer.down
            and not (peer.max_conns and self.connections >= peer.max_conns)
            and not (has_failed and now_s - self.checked_s <= peer.fail_timeout_s)
        )

    def begin(self, now_s: float) -> None:
        """Count a request that is given to the peer; after a failure it is the check."""
        if now_s - self.checked_s > self.peer.fail_timeout_s:
            self.checked_s = now_s
        self.connections += 1
        self.requests += 1

    def fail(self, now_s: float) -> bool:
        """Count a failure; True when that made the peer unavailable."""
        peer = self.peer
        self.fails += 1
        self.accessed_s = self.checked_s = now_s
        if not peer.max_fails:
            return False
        self.effective_weight = max(0, self.effective_weight - peer.weight // peer.max_fails)
        return self.fails >= peer.max_fails

    def succeed(self) -> None:
        """Forget the failures, where the request was the check after them."""
        if self.accessed_s < self.checked_s:
            self.fails = 0


class PeerGroup:
    """Peers of one rank: those that are asked first, or the backups.

    is_single: there is no other peer in the whole upstream, so that this one is never taken out.
    """

    __slots__ = ("is_single", "peers", "total_weight")

    def __init__(self, peers: Sequence[PeerState], *, is_single: bool) -> None:
        self.peers = peers
        self.is_single = is_single
        self.total_weight = sum(state.peer.weight for state in peers)

    def weighted(self, place: int) -> PeerState:
        """Return the peer at one of total_weight places; each has as many as its weight."""
        for state in self.peers:
            place -= state.peer.weight
            if place < 0:
                return state
        raise IndexError(place)

"""Upstreams of made-up peers, on a clock that a test moves."""

from __future__ import annotations

from upwire.conf.model import Balance, Keepalive, Peer
from upwire.conf.syntax import Position
from upwire.conf.variables import Lookup
from upwire.net.http1 import HttpClientConnection
from upwire.net.stream import Sink
from upwire.proxy.upstream import PeerAddress, PeerState, Upstreams

HERE = Position("nginx.conf", 1, 1)


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def peer(
    name: str,
    *,
    weight: int = 1,
    max_fails: int = 1,
    max_conns: int = 0,
    backup: bool = False,
    down: bool = False,
    drain: bool = False,
) -> Peer:
    """Return a `server` of port 80."""
    return Peer(
        name,
        80,
        HERE,
        weight=weight,
        max_fails=max_fails,
        max_conns=max_conns,
        backup=backup,
        down=down,
        drain=drain,
        name=name,
    )


def state(peer: Peer) -> PeerState:
    """Return a peer that nobody asked yet."""
    return PeerState(peer, PeerAddress(peer.host, peer.port))


def make(
    *peers: Peer,
    clock: Time | None = None,
    keepalive: Keepalive | None = None,
    balance: Balance | None = None,
) -> tuple[Upstreams, Time]:
    """Return an upstream and its clock."""
    clock = clock or Time()
    states = [state(peer) for peer in peers]
    upstreams = Upstreams(
        "name", states, keepalive=keepalive, clock=clock, balance=balance or Balance()
    )
    return upstreams, clock


def nothing(name: str) -> str | None:
    """Know no variable."""
    return None


def take(upstreams: Upstreams, lookup: Lookup = nothing, *, has_failed: bool = False) -> str:
    """Return the host that one request gets, "-" for none."""
    selection = upstreams.select(lookup)
    state = selection.next()
    if state is None:
        return "-"
    selection.release(state, has_failed=has_failed)
    return state.address.host


def hosts(upstreams: Upstreams, times: int) -> str:
    """Return the hosts that so many requests get."""
    return "".join(take(upstreams) for _ in range(times))


class FakeStream:
    """What is asked of an idle connection's stream."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.is_closed = False

    def push_to(self, sink: Sink | None) -> None:
        self.sink = sink

    def close(self) -> None:
        self.is_closed = True


class FakeHttp(HttpClientConnection):
    """A connection that says whether it may be used again."""

    def __init__(self, *, is_reusable: bool = True) -> None:
        self.fake = FakeStream()
        self.stream = self.fake  # type: ignore[assignment]  # it has all that is asked of it
        self._is_reusable = is_reusable

    @property
    def is_reusable(self) -> bool:
        return self._is_reusable

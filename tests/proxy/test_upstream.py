"""Choosing peers, counting their failures, keeping their connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from upwire.conf.model import Keepalive, Peer
from upwire.conf.syntax import Position
from upwire.errors import StreamError
from upwire.net.http1 import HttpClientConnection
from upwire.net.stream import Sink
from upwire.proxy.upstream import (
    Hold,
    IdleConnections,
    PeerAddress,
    PeerState,
    UpstreamConnection,
    Upstreams,
)

HERE = Position("nginx.conf", 1, 1)
KEEPALIVE = Keepalive(2, requests=3, time_s=100.0, timeout_s=10.0)


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def make(
    *peers: Peer, clock: Time | None = None, keepalive: Keepalive | None = None
) -> tuple[Upstreams, Time]:
    clock = clock or Time()
    states = [PeerState(peer, PeerAddress(peer.host, peer.port)) for peer in peers]
    return Upstreams("name", states, keepalive=keepalive, clock=clock), clock


def peer(
    name: str,
    *,
    weight: int = 1,
    max_fails: int = 1,
    max_conns: int = 0,
    backup: bool = False,
    down: bool = False,
) -> Peer:
    return Peer(
        name,
        80,
        HERE,
        weight=weight,
        max_fails=max_fails,
        max_conns=max_conns,
        backup=backup,
        down=down,
    )


def take(upstreams: Upstreams, *, has_failed: bool = False) -> str:
    """Return the host that one request gets."""
    selection = upstreams.select()
    state = selection.next()
    if state is None:
        return "-"
    selection.release(state, has_failed=has_failed)
    return state.address.host


def hosts(upstreams: Upstreams, times: int) -> str:
    return "".join(take(upstreams) for _ in range(times))


@pytest.mark.parametrize(
    ("weights", "order"),
    [
        ({"a": 1}, "aaa"),
        ({"a": 1, "b": 1, "c": 1}, "abcabc"),
        ({"a": 5, "b": 1, "c": 1}, "aabacaaaabacaa"),
        ({"a": 3, "b": 2}, "ababaababa"),
    ],
)
def test_the_round_robin_is_smooth(weights: dict[str, int], order: str) -> None:
    upstreams, _ = make(*(peer(name, weight=weight) for name, weight in weights.items()))
    assert hosts(upstreams, len(order)) == order


def test_one_request_tries_no_peer_twice() -> None:
    upstreams, _ = make(peer("a"), peer("b"))
    selection = upstreams.select()
    found = []
    while (state := selection.next()) is not None:
        found.append(state.address.host)
    assert found == ["a", "b"]
    assert selection.tries_left == 2


def test_tries_are_counted() -> None:
    upstreams, _ = make(peer("a", max_fails=0), peer("b", down=True), peer("c", backup=True))
    selection = upstreams.select()
    assert selection.tries_left == 2
    state = selection.next()
    assert state is not None
    assert not selection.release(state, has_failed=True)
    assert selection.tries_left == 1
    selection.release(state, has_failed=True, was_reused=True)
    assert selection.tries_left == 1


def test_a_peer_that_fails_rests_and_comes_back() -> None:
    upstreams, clock = make(peer("a"), peer("b"))
    assert take(upstreams, has_failed=True) == "a"
    assert hosts(upstreams, 3) == "bbb"
    clock.now_s += 10.5
    assert "a" in hosts(upstreams, 4)
    assert Counter(hosts(upstreams, 4)) == {"a": 2, "b": 2}
    assert all(state.fails == 0 for state in upstreams.peers)


def test_failures_within_bounds_do_no_harm() -> None:
    upstreams, _ = make(peer("a", weight=4, max_fails=2), peer("b"))
    selection = upstreams.select()
    state = selection.next()
    assert state is not None
    assert not selection.release(state, has_failed=True)
    assert state.effective_weight == 2
    assert hosts(upstreams, 5).count("a") >= 2
    assert state.effective_weight == 4


def test_the_second_failure_takes_a_peer_out() -> None:
    upstreams, _ = make(peer("a", max_fails=2), peer("b", down=True))
    first = upstreams.select()
    state = first.next()
    assert state is not None
    assert not first.release(state, has_failed=True)
    state.connections += 1
    assert upstreams.release(state, has_failed=True)
    assert take(upstreams) == "-"


def test_an_only_peer_is_never_taken_out() -> None:
    upstreams, _ = make(peer("a"))
    assert [take(upstreams, has_failed=True) for _ in range(3)] == ["a", "a", "a"]


def test_an_only_peer_that_is_down_or_full() -> None:
    assert take(make(peer("a", down=True))[0]) == "-"
    upstreams, _ = make(peer("a", max_conns=1))
    assert upstreams.select().next() is not None
    assert upstreams.select().next() is None


def test_backups_stand_in_for_peers_that_are_down_or_full() -> None:
    upstreams, _ = make(peer("a", max_conns=1), peer("b", backup=True), peer("c", down=True))
    assert upstreams.select().next() is not None
    assert hosts(upstreams, 2) == "bb"


def test_addresses_as_nginx_shows_them() -> None:
    assert str(PeerAddress("1.2.3.4", 5)) == "1.2.3.4:5"
    assert str(PeerAddress("::1", 5)) == "[::1]:5"
    assert str(PeerAddress("", 0, "/run/s")) == "unix:/run/s"


# Idle connections: fakes of what is asked of a connection and its stream


class FakeStream:
    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.is_closed = False

    def push_to(self, sink: Sink | None) -> None:
        self.sink = sink

    def close(self) -> None:
        self.is_closed = True


class FakeHttp(HttpClientConnection):
    def __init__(self, *, is_reusable: bool = True) -> None:
        self.fake = FakeStream()
        self.stream = self.fake  # type: ignore[assignment]  # it has all that is asked of it
        self._is_reusable = is_reusable

    @property
    def is_reusable(self) -> bool:
        return self._is_reusable


A, B = PeerAddress("a", 80), PeerAddress("b", 80)


def connection(
    http: FakeHttp, clock: Time, address: PeerAddress = A, requests: int = 0
) -> UpstreamConnection:
    return UpstreamConnection(http, address, None, clock(), requests)


def keep(*https: FakeHttp, addresses: Sequence[PeerAddress] = ()) -> tuple[IdleConnections, Time]:
    clock = Time()
    idle = IdleConnections(KEEPALIVE, clock)
    for http, address in zip(https, addresses or [A] * len(https), strict=True):
        assert idle.keep(connection(http, clock, address))
    return idle, clock


def test_the_latest_connection_to_the_address_is_taken() -> None:
    first, second = FakeHttp(), FakeHttp()
    idle, _ = keep(first, second)
    taken = idle.take(A, None)
    assert taken is not None
    assert taken.http is second
    assert taken.is_reused
    assert second.fake.sink is None
    assert idle.take(B, None) is None
    assert idle.take(A, "other group") is None
    assert len(idle) == 1


def test_the_oldest_gives_way() -> None:
    first, second, third = FakeHttp(), FakeHttp(), FakeHttp()
    idle, _ = keep(first, second, third)
    assert len(idle) == 2
    assert first.fake.is_closed
    assert not second.fake.is_closed


@pytest.mark.parametrize("event", ["octets", "eof", "loss"])
def test_an_idle_connection_that_stirs_is_dropped(event: str) -> None:
    http = FakeHttp()
    idle, _ = keep(http)
    sink = http.fake.sink
    assert sink is not None
    if event == "octets":
        sink.octets_received(b"HTTP/1.1 408 ")
    elif event == "eof":
        sink.eof_received()
    else:
        sink.stream_lost(StreamError("gone"))
    assert http.fake.is_closed
    assert len(idle) == 0


def test_idle_connections_expire() -> None:
    http = FakeHttp()
    idle, clock = keep(http)
    clock.now_s += 9.9
    idle.drop_expired()
    assert len(idle) == 1
    clock.now_s += 0.2
    assert idle.take(A, None) is None
    assert http.fake.is_closed


def test_what_is_not_kept() -> None:
    idle, clock = keep()
    assert not idle.keep(connection(FakeHttp(is_reusable=False), clock))
    assert not idle.keep(connection(FakeHttp(), clock, requests=2))
    old = connection(FakeHttp(), clock)
    clock.now_s += 101
    assert not idle.keep(old)
    last = FakeHttp()
    assert idle.keep(connection(last, clock))
    idle.close()
    assert last.fake.is_closed
    assert not idle.keep(connection(FakeHttp(), clock))


def hold(keepalive: Keepalive | None) -> Hold:
    upstreams, _ = make(peer("a"), keepalive=keepalive)
    selection = upstreams.select()
    state = selection.next()
    assert state is not None
    return Hold(selection, state)


def test_a_hold_keeps_its_connection_for_the_next() -> None:
    first = hold(KEEPALIVE)
    assert not first.take_idle(None)
    http = FakeHttp()
    first.use(http, None)
    assert not first.release(has_failed=False)
    assert not http.fake.is_closed
    assert first.take_idle(None)
    first.release(has_failed=True)
    assert http.fake.is_closed


def test_a_hold_closes_what_is_not_kept() -> None:
    one = hold(None)
    assert not one.take_idle(None)
    http = FakeHttp()
    one.use(http, None)
    one.release(has_failed=False)
    assert http.fake.is_closed

"""The connections to peers that are kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kit.upstreams import FakeHttp, Time
from upwire.conf.model import Keepalive
from upwire.errors import StreamError
from upwire.proxy.upstream import IdleConnections, PeerAddress, UpstreamConnection

KEEPALIVE = Keepalive(2, requests=3, time_s=100.0, timeout_s=10.0)
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

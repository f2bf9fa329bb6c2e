"""Peers whose state several processes share."""

from __future__ import annotations

from kit.upstreams import Time, hosts, nothing, peer, state, take
from upwire.proxy.upstream import SHARED_RECORD, Sharing, Upstreams
from upwire.proxy.zone import Zone


def make(zone: Zone, *, scope: str = "u", max_conns: int = 0) -> Upstreams:
    """Return what one process has of an upstream of two equal servers."""
    states = [state(peer("a", max_conns=max_conns)), state(peer("a", max_conns=max_conns))]
    states.append(state(peer("b", max_conns=max_conns)))
    clock = Time()
    return Upstreams("u", states, keepalive=None, clock=clock, sharing=Sharing(zone, scope))


def test_processes_take_turns_together() -> None:
    zone = Zone("z", 65536, SHARED_RECORD)
    one, two = make(zone), make(zone)
    assert [take(one), take(two), take(one), take(two)] == ["a", "a", "b", "a"]


def test_a_failure_is_known_everywhere() -> None:
    zone = Zone("z", 65536, SHARED_RECORD)
    one, two = make(zone), make(zone)
    assert take(one, has_failed=True) == "a"
    assert sorted(hosts(two, 4)) == ["a", "a", "b", "b"]
    assert two.peers[0].fails == 1


def test_connections_are_counted_over_processes() -> None:
    zone = Zone("z", 65536, SHARED_RECORD)
    one, two = make(zone, max_conns=1), make(zone, max_conns=1)
    held = [one.select(nothing), two.select(nothing), one.select(nothing)]
    states = [selection.next() for selection in held]
    assert two.select(nothing).next() is None
    for selection, found in zip(held, states, strict=True):
        assert found is not None
        selection.release(found, has_failed=False)
    assert take(two) != "-"


def test_another_scope_is_another_state() -> None:
    zone = Zone("z", 65536, SHARED_RECORD)
    one, two = make(zone), make(zone, scope="other")
    assert take(one) == take(two) == "a"
    assert two.peers[0].requests == 1


def test_a_peer_that_went_is_released_alone() -> None:
    upstreams = make(Zone("z", 65536, SHARED_RECORD))
    selection = upstreams.select(nothing)
    found = selection.next()
    assert found is not None
    upstreams.use_peers([state(peer("c"))])
    selection.release(found, has_failed=False)
    assert found.connections == 0
    assert take(upstreams) == "c"

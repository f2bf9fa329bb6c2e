"""nginx's methods: who gets what, as nginx 1.31 gives it."""

from __future__ import annotations

from collections import Counter

import pytest

from kit.upstreams import peer, state
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
from upwire.proxy.upstream.peers import PeerGroup, PeerState

ABC = [peer("a"), peer("b"), peer("c")]


def group_of(*peers: PeerState, is_single: bool = False) -> PeerGroup:
    return PeerGroup(peers, is_single=is_single)


def name_of(found: PeerState | None) -> str:
    return found.address.host if found is not None else "-"


def tries(balancer: Balancer, group: PeerGroup) -> str:
    """Return the peers that one request goes through."""
    tried: set[PeerState] = set()
    while (found := balancer.choose(group, tried, 0.0)) is not None:
        tried.add(found)
    return "".join(sorted(state.address.host for state in tried))


def balancers() -> list[Balancer]:
    return [
        *(ROUND_ROBIN, LEAST_CONNECTIONS, Hash(b"key"), IpHash("127.0.0.1")),
        *(Random(is_of_two=False), Random(is_of_two=True)),
        ConsistentHash(b"key", Ring(map(state, ABC))),
    ]


@pytest.mark.parametrize("balancer", balancers(), ids=lambda found: type(found).__name__)
def test_every_method_tries_all_peers_in_the_end(balancer: Balancer) -> None:
    assert tries(balancer, group_of(*map(state, ABC))) == "abc"


@pytest.mark.parametrize("balancer", balancers(), ids=lambda found: type(found).__name__)
def test_no_method_needs_several_peers(balancer: Balancer) -> None:
    assert name_of(balancer.choose(group_of(state(peer("a")), is_single=True), set(), 0.0)) == "a"


@pytest.mark.parametrize("balancer", balancers(), ids=lambda found: type(found).__name__)
def test_no_method_finds_a_peer_among_none(balancer: Balancer) -> None:
    assert balancer.choose(group_of(), set(), 0.0) is None


def test_a_single_peer_is_not_taken_where_it_is_full_or_down() -> None:
    full = state(peer("a", max_conns=1))
    full.begin(0.0)
    for one in (full, state(peer("a", down=True)), state(peer("a", drain=True))):
        assert ROUND_ROBIN.choose(group_of(one, is_single=True), set(), 0.0) is None


def test_least_conn_counts_by_weight() -> None:
    a, b = state(peer("a", weight=3)), state(peer("b"))
    group = group_of(a, b)
    a.connections, b.connections = 2, 1
    assert name_of(LEAST_CONNECTIONS.choose(group, set(), 0.0)) == "a"
    a.connections = 4
    assert name_of(LEAST_CONNECTIONS.choose(group, set(), 0.0)) == "b"


def test_least_conn_takes_turns_among_equals() -> None:
    group = group_of(*map(state, ABC))
    group.peers[1].connections = 1
    found = [name_of(LEAST_CONNECTIONS.choose(group, set(), 0.0)) for _ in range(4)]
    assert "".join(found) == "acac"


@pytest.mark.parametrize(("key", "found"), [(b"", "a"), (b"/x", "b"), (b"/y", "a"), (b"/12", "c")])
def test_hash(key: bytes, found: str) -> None:
    assert name_of(Hash(key).choose(group_of(*map(state, ABC)), set(), 0.0)) == found


def test_hash_gives_weights_their_share() -> None:
    group = group_of(state(peer("a", weight=3)), state(peer("b")))
    counts = Counter(
        name_of(Hash(b"/%d" % number).choose(group, set(), 0.0)) for number in range(1000)
    )
    assert 700 < counts["a"] < 800


def test_consistent_hash_moves_only_the_keys_of_a_peer_that_leaves() -> None:
    def spread(names: str) -> list[str]:
        peers = [state(peer(name)) for name in names]
        group, ring = group_of(*peers), Ring(peers)
        keys = (b"/%d" % number for number in range(300))
        return [name_of(ConsistentHash(key, ring).choose(group, set(), 0.0)) for key in keys]

    for before, after in zip(spread("abc"), spread("ab"), strict=True):
        assert after == before or before == "c"


@pytest.mark.parametrize(
    ("name", "point"),
    [("127.0.0.1:8081", 858133), ("unix:/tmp/x", 6219769), ("8081", 11270775)],
)
def test_the_points_of_the_ring(name: str, point: int) -> None:
    ring = Ring([state(peer(name))])
    assert len(ring) == 160
    assert ring.name_at(160) == ring.name_at(0) == name
    assert point in ring._hashes


def test_ip_hash_is_about_the_network() -> None:
    group = group_of(*map(state, ABC))
    networks = {
        name_of(IpHash(f"10.0.{network}.{host}").choose(group, set(), 0.0))
        for network in (0, 1)
        for host in range(5)
    }
    assert len(networks) <= 2
    assert name_of(IpHash("::1").choose(group, set(), 0.0)) in "abc"
    assert name_of(IpHash("").choose(group, set(), 0.0)) == name_of(
        IpHash("0.0.0.0").choose(group, set(), 0.0)
    )


def test_random_two_prefers_the_one_that_is_less_busy() -> None:
    group = group_of(*map(state, ABC))
    group.peers[0].connections = 9
    found = {name_of(Random(is_of_two=True).choose(group, set(), 0.0)) for _ in range(100)}
    assert found == {"b", "c"}

"""Peers, and what they can take."""

from __future__ import annotations

import pytest

from kit.upstreams import peer, state
from upwire.proxy.upstream import PeerAddress
from upwire.proxy.upstream.peers import PeerGroup


def test_addresses_as_nginx_shows_them() -> None:
    assert str(PeerAddress("1.2.3.4", 5)) == "1.2.3.4:5"
    assert str(PeerAddress("::1", 5)) == "[::1]:5"
    assert str(PeerAddress("", 0, "/run/s")) == "unix:/run/s"


def test_a_draining_peer_takes_what_is_bound_to_it() -> None:
    draining = state(peer("a", drain=True))
    assert not draining.can_take(0.0)
    assert draining.can_take_bound(0.0)


def test_a_group_has_a_place_for_each_weight() -> None:
    group = PeerGroup([state(peer("a", weight=2)), state(peer("b"))], is_single=False)
    assert "".join(group.weighted(place).address.host for place in range(3)) == "aab"
    with pytest.raises(IndexError):
        group.weighted(3)

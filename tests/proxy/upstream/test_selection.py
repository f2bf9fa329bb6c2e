"""An upstream's choice for each try, and how the tries count."""

from __future__ import annotations

from collections import Counter

import pytest

from kit.upstreams import FakeHttp, hosts, make, nothing, peer, state, take
from upwire.conf.model import Balance, Keepalive
from upwire.conf.variables import Template
from upwire.proxy.upstream import Hold

KEEPALIVE = Keepalive(2, requests=3, time_s=100.0, timeout_s=10.0)
URI = Template.compile("$uri")


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
    selection = upstreams.select(nothing)
    found = []
    while (state := selection.next()) is not None:
        found.append(state.address.host)
    assert found == ["a", "b"]
    assert selection.tries_left == 2


def test_tries_are_counted() -> None:
    upstreams, _ = make(peer("a", max_fails=0), peer("b", down=True), peer("c", backup=True))
    selection = upstreams.select(nothing)
    assert selection.tries_left == 2
    state = selection.next()
    assert state is not None
    assert not selection.release(state, has_failed=True)
    assert selection.tries_left == 1
    selection.release(state, has_failed=True, was_reused=True)
    assert selection.tries_left == 1


def test_once_the_backups_are_asked_no_other_peer_is() -> None:
    upstreams, _ = make(peer("a", max_conns=1), peer("b", backup=True), peer("c", backup=True))
    first, second = upstreams.select(nothing), upstreams.select(nothing)
    full = first.next()
    assert full is not None
    assert [state.address.host for state in (second.next(),) if state] == ["b"]
    first.release(full, has_failed=False)
    assert [state.address.host for state in (second.next(),) if state] == ["c"]
    assert second.next() is None


def test_new_peers_serve_the_next_request() -> None:
    upstreams, _ = make(peer("a"), balance=Balance("hash", URI, is_consistent=True))
    selection = upstreams.select(nothing)
    upstreams.use_peers([state(peer("b")), state(peer("c"))])
    assert take(upstreams, lambda _: "x") in "bc"
    found = selection.next()
    assert found is not None
    assert found.address.host == "a"


@pytest.mark.parametrize(
    ("balance", "order"),
    [
        (Balance(), "abc"),
        (Balance("least_conn"), "abc"),
        (Balance("hash", Template.compile("$uri")), "bbb"),
        (Balance("hash", Template.compile("$uri"), is_consistent=True), "aaa"),
        (Balance("ip_hash"), "ccc"),
    ],
)
def test_each_method_has_its_balancer(balance: Balance, order: str) -> None:
    upstreams, _ = make(peer("a"), peer("b"), peer("c"), balance=balance)
    values = {"uri": "/x", "remote_addr": "127.0.0.1"}
    assert "".join(take(upstreams, values.get) for _ in range(3)) == order


def test_random_gives_every_peer_its_share() -> None:
    upstreams, _ = make(peer("a", weight=9), peer("b"), balance=Balance("random"))
    assert hosts(upstreams, 200).count("a") > hosts(upstreams, 200).count("b")


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
    selection = upstreams.select(nothing)
    state = selection.next()
    assert state is not None
    assert not selection.release(state, has_failed=True)
    assert state.effective_weight == 2
    assert hosts(upstreams, 5).count("a") >= 2
    assert state.effective_weight == 4


def test_the_second_failure_takes_a_peer_out() -> None:
    upstreams, _ = make(peer("a", max_fails=2), peer("b", down=True))
    first = upstreams.select(nothing)
    state = first.next()
    assert state is not None
    assert not first.release(state, has_failed=True)
    second = upstreams.select(nothing)
    assert second.next() is state
    assert second.release(state, has_failed=True)
    assert take(upstreams) == "-"


def test_an_only_peer_is_never_taken_out() -> None:
    upstreams, _ = make(peer("a"))
    assert [take(upstreams, has_failed=True) for _ in range(3)] == ["a", "a", "a"]


def test_an_only_peer_that_is_down_or_full() -> None:
    assert take(make(peer("a", down=True))[0]) == "-"
    upstreams, _ = make(peer("a", max_conns=1))
    assert upstreams.select(nothing).next() is not None
    assert upstreams.select(nothing).next() is None


def test_backups_stand_in_for_peers_that_are_down_or_full() -> None:
    upstreams, _ = make(peer("a", max_conns=1), peer("b", backup=True), peer("c", down=True))
    assert upstreams.select(nothing).next() is not None
    assert hosts(upstreams, 2) == "bb"


def hold(keepalive: Keepalive | None) -> Hold:
    upstreams, _ = make(peer("a"), keepalive=keepalive)
    selection = upstreams.select(nothing)
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

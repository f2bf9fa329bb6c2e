"""Groups of peers."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.model import Peer, Upstream


def _upstream(text: str, *, version: tuple[int, int, int] = (1, 31, 5)) -> Upstream:
    return http(f"upstream a {{ {text} }}", version=version).upstreams["a"]


def _peer(options: str) -> Peer:
    return _upstream(f"server b:8080 {options};").peers[0]


def test_peers() -> None:
    peer = _peer("weight=2 max_fails=0 fail_timeout=1m max_conns=9 resolve")
    assert (peer.host, peer.port, peer.unix) == ("b", 8080, None)
    assert (peer.weight, peer.max_fails, peer.fail_timeout_s, peer.max_conns) == (2, 0, 60, 9)
    assert (peer.resolve, peer.backup, peer.down) == (True, False, False)
    assert (peer.position.line, peer.position.column) == (3, 21)


@pytest.mark.parametrize("option", ["down", "drain"])
def test_a_draining_peer_gets_nothing_new(option: str) -> None:
    assert _peer(option).down


def test_options_without_effect() -> None:
    assert _peer("route=x service=y") == _peer("")


@pytest.mark.parametrize("option", ["weight=x", "max_fails", "backup=1", "route=", "slow_start=1"])
def test_invalid_options(option: str) -> None:
    assert faults(f"upstream a {{ server b {option}; }}") == [f'invalid parameter "{option}"']


def test_an_invalid_address() -> None:
    assert faults("upstream a { server b:x; }") == ['invalid port in upstream "b:x"']


@pytest.mark.parametrize("method", ["ip_hash", "hash $uri", "random"])
def test_methods_that_have_no_backup(method: str) -> None:
    text = f"upstream a {{ {method}; server b; server c backup; }}"
    assert faults(text) == ['balancing method does not support parameter "backup"']


def test_a_second_method_takes_the_place_of_the_first() -> None:
    assert _upstream("least_conn; random; server b;").balance == "random"
    assert faults("upstream a { least_conn; random; server b; }") == [
        "load balancing method redefined"
    ]


@pytest.mark.parametrize(
    ("version", "kept"), [((1, 29, 6), None), ((1, 29, 7), 32), ((1, 31, 5), 32)]
)
def test_idle_connections_are_kept_by_default_since_1_29_7(
    version: tuple[int, int, int], kept: int | None
) -> None:
    keepalive = _upstream("server b;", version=version).keepalive
    assert (keepalive.connections if keepalive else None) == kept


def test_keepalive_can_be_turned_off_since_1_29_7() -> None:
    assert _upstream("server b; keepalive 0;").keepalive is None
    assert faults("upstream a { server b; keepalive 1 global; }") == ['invalid parameter "global"']
    assert faults("upstream a { server b; keepalive x; }") == [
        'invalid value "x" in "keepalive" directive'
    ]


def test_keepalive_0_was_refused_before() -> None:
    with pytest.raises(Exception, match='invalid value "0" in "keepalive" directive'):
        _upstream("server b; keepalive 0;", version=(1, 22, 1))


def test_a_group_needs_a_server() -> None:
    assert faults("upstream a { }") == ["no servers are inside upstream"]
    assert faults("upstream a { server; }") == ['invalid number of arguments in "server" directive']


def test_names_have_no_case() -> None:
    assert faults("upstream a { server b; } upstream A { server b; }") == ['duplicate upstream "A"']

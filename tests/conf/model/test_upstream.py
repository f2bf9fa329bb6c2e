"""Groups of peers."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.model import Peer, Upstream, UpstreamZone


def _upstream(text: str, *, version: tuple[int, int, int] = (1, 31, 5)) -> Upstream:
    return http(f"upstream a {{ {text} }}", version=version).upstreams["a"]


def _peer(options: str) -> Peer:
    return _upstream(f"server b:8080 {options};").peers[0]


def test_peers() -> None:
    peer = _peer("weight=2 max_fails=0 fail_timeout=1m max_conns=9")
    assert (peer.host, peer.port, peer.unix) == ("b", 8080, None)
    assert (peer.weight, peer.max_fails, peer.fail_timeout_s, peer.max_conns) == (2, 0, 60, 9)
    assert (peer.resolve, peer.backup, peer.down) == (False, False, False)
    assert peer.name == "b:8080"
    assert (peer.position.line, peer.position.column) == (3, 21)


def test_the_last_of_down_and_drain_holds() -> None:
    peer = _peer("down drain route=x")
    assert (peer.down, peer.drain, peer.route) == (False, True, "x")
    assert _peer("drain down").down


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b route=", "route is empty"),
        (f"b route={33 * 'x'}", "route is longer than 32"),
        ("b service=", "service is empty"),
        ("b service=x", 'service upstream "b" requires "resolve" parameter'),
        ("b:1 service=x resolve", 'service upstream "b:1" may not have port'),
        ("[::1] service=x resolve", 'service upstream "[::1]" requires domain name'),
    ],
)
def test_options_refused_in_words_of_their_own(line: str, message: str) -> None:
    assert faults(f"resolver [::1]; upstream a {{ zone z 1m; server {line}; }}") == [message]


def test_names_that_are_resolved_at_run_time() -> None:
    peers = "server b service=x resolve; server 1.2.3.4 resolve;"
    upstream = http(f"resolver [::1]; upstream a {{ zone z 1m; {peers} }}").upstreams["a"]
    assert [peer.resolve for peer in upstream.peers] == [True, False]
    assert upstream.peers[0].service == "x"
    assert upstream.resolver is not None
    assert upstream.resolver.servers == (("[::1]", 53),)
    assert upstream.resolver_timeout_s == 30.0


def test_an_upstream_has_its_own_resolver() -> None:
    own = "resolver [::2]; resolver_timeout 3s; zone z 1m; server b resolve;"
    upstream = http(f"resolver [::1]; resolver_timeout 2s; upstream a {{ {own} }}").upstreams["a"]
    assert upstream.resolver is not None
    assert upstream.resolver.servers == (("[::2]", 53),)
    assert upstream.resolver_timeout_s == 3.0


def test_names_at_run_time_take_a_zone_and_a_resolver() -> None:
    assert faults("upstream a { server b resolve; }") == [
        'resolving names at run time requires upstream "a" to be in shared memory',
        'no resolver defined to resolve names at run time in upstream "a"',
    ]


def test_zones() -> None:
    upstreams = http(
        "upstream a { zone z 64k; server b; } upstream c { zone z; server d; }"
    ).upstreams
    zones = [upstream.zone for upstream in upstreams.values()]
    assert zones == [UpstreamZone("z", 65536), UpstreamZone("z", 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("upstream a { zone '' 1m; server b; }", 'invalid zone name ""'),
        ("upstream a { zone z x; server b; }", 'invalid zone size "x"'),
        ("upstream a { zone z 8k; server b; }", 'zone "z" is too small'),
        ("upstream a { zone z; server b; }", 'zero size shared memory zone "z"'),
        (
            "upstream a { zone z 1m; server b; } upstream c { zone z 2m; server d; }",
            'the size 2097152 of shared memory zone "z" '
            "conflicts with already declared size 1048576",
        ),
    ],
)
def test_wrong_zones(text: str, message: str) -> None:
    assert faults(text) == [message]


@pytest.mark.parametrize("option", ["weight=x", "max_fails", "backup=1", "slow_start=1"])
def test_invalid_options(option: str) -> None:
    assert faults(f"upstream a {{ server b {option}; }}") == [f'invalid parameter "{option}"']


def test_an_invalid_address() -> None:
    assert faults("upstream a { server b:x; }") == ['invalid port in upstream "b:x"']


@pytest.mark.parametrize("method", ["ip_hash", "hash $uri", "random"])
def test_methods_that_have_no_backup(method: str) -> None:
    text = f"upstream a {{ {method}; server b; server c backup; }}"
    assert faults(text) == ['balancing method does not support parameter "backup"']


def test_an_upstream_of_backups_has_no_servers() -> None:
    assert faults("upstream a { server b backup; }") == ['no servers in upstream "a"']


def test_methods_and_their_arguments() -> None:
    balance = _upstream("hash $uri consistent; server b;").balance
    assert (balance.method, balance.is_consistent) == ("hash", True)
    assert balance.key is not None
    assert balance.key.text == "$uri"
    assert not _upstream("hash $uri; server b;").balance.is_consistent
    assert _upstream("random two least_conn; server b;").balance.is_of_two
    assert not _upstream("random; server b;").balance.is_of_two
    assert not _upstream("ip_hash; server b;").balance.is_of_two


@pytest.mark.parametrize(
    ("line", "word"),
    [("hash $uri ketama", "ketama"), ("random three", "three"), ("random two hash", "hash")],
)
def test_invalid_arguments_of_methods(line: str, word: str) -> None:
    assert faults(f"upstream a {{ {line}; server b; }}") == [f'invalid parameter "{word}"']


def test_a_second_method_takes_the_place_of_the_first() -> None:
    assert _upstream("least_conn; random; server b;").balance.method == "random"
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

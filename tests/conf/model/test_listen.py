"""Addresses and names of servers."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.model import Listen, NameKind


def _listens(text: str) -> tuple[Listen, ...]:
    return http(f"server {{ listen {text}; }}").servers[0].listens


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8000", "0.0.0.0", 8000),
        ("*:8000", "0.0.0.0", 8000),
        ("*", "0.0.0.0", 80),
        ("127.0.0.1:8000", "127.0.0.1", 8000),
        ("[::]:8000", "[::]", 8000),
        ("[::1]", "[::1]", 80),
        ("a-b", "a-b", 80),
        ("localhost", "localhost", 80),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    (listen,) = _listens(text)
    assert (listen.host, listen.port, listen.unix) == (host, port, None)


def test_a_range_is_several_addresses() -> None:
    assert [listen.port for listen in _listens("8000-8002")] == [8000, 8001, 8002]
    assert [listen.port for listen in _listens("[::1]:8000-8000")] == [8000]


def test_a_server_without_listen_is_at_port_80() -> None:
    (listen,) = http("server { }").servers[0].listens
    assert (listen.host, listen.port, listen.bind) == ("0.0.0.0", 80, False)


@pytest.mark.parametrize("option", ["bind", "multipath", "fastopen=5", "backlog=1", "deferred"])
def test_socket_options_set_bind(option: str) -> None:
    assert _listens(f"8000 {option}")[0].bind


def test_protocol_options_do_not() -> None:
    (listen,) = _listens("8000 default proxy_protocol accept_filter=x")
    assert (listen.is_default_server, listen.proxy_protocol, listen.bind) == (True, True, False)


@pytest.mark.parametrize("value", ["on", "off", "1m", "1m:2:3", "::3", ":2"])
def test_so_keepalive(value: str) -> None:
    assert _listens(f"8000 so_keepalive={value}")[0].so_keepalive == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", 'invalid port in "0" of the "listen" directive'),
        ("8001-8000", 'invalid port range in "8001-8000" of the "listen" directive'),
        ("a?b", 'invalid host in "a?b" of the "listen" directive'),
        ("[::1:80", 'invalid host in "[::1:80" of the "listen" directive'),
        ("unix:", 'no path in the unix domain socket in "unix:" of the "listen" directive'),
        ("8000 rcvbuf=x", 'invalid rcvbuf "rcvbuf=x"'),
        ("8000 backlog=0", 'invalid backlog "backlog=0"'),
        ("8000 setfib=1", 'invalid parameter "setfib=1"'),
        ("8000 ipv6only=x", 'invalid parameter "ipv6only=x"'),
        ("8000 ipv6only=oh", 'invalid ipv6only flags "oh"'),
        ("8000 so_keepalive=", 'invalid so_keepalive value: ""'),
        ("8000 so_keepalive=0:0:0", 'invalid so_keepalive value: "0:0:0"'),
        ("8000 so_keepalive=1:2:x", 'invalid so_keepalive value: "1:2:x"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(f"server {{ listen {text}; }}") == [message]


def test_names_are_compared_in_lower_case() -> None:
    names = http("server { server_name A.Example *.B .C d.*; }").servers[0].names
    assert [(name.kind, name.pattern) for name in names] == [
        (NameKind.EXACT, "a.example"),
        (NameKind.LEADING_WILDCARD, "*.b"),
        (NameKind.EXACT, "c"),
        (NameKind.LEADING_WILDCARD, "*.c"),
        (NameKind.TRAILING_WILDCARD, "d.*"),
    ]


def test_names_clash_only_on_the_same_address() -> None:
    one, two = "listen 8001; server_name a ~b;", "listen 8002; server_name a ~b;"
    assert faults(f"server {{ {one} }} server {{ {two} }}") == []
    assert faults(f"server {{ {one} }} server {{ {one} }}") == [
        'conflicting server name "a" on 0.0.0.0:8001, ignored'
    ]


def test_a_certificate_is_the_matter_of_the_default_server() -> None:
    certificate = "ssl_certificate c; ssl_certificate_key k;"
    message = 'no "ssl_certificate" is defined for the "listen ... {}" directive'
    assert faults("server { listen 443 quic; }") == [message.format("quic")]
    assert faults("server { listen 443 ssl; ssl_reject_handshake on; }") == []
    assert faults(f"server {{ listen 443 ssl; {certificate} }}") == []
    second = f"server {{ listen 443 ssl default_server; server_name b; {certificate} }}"
    assert faults(f"server {{ listen 443 ssl; }} {second}") == []


def test_http2_on_listen_is_deprecated_since_1_25_1() -> None:
    text = "server { listen 8000 http2; }"
    assert len(http(text).warnings) == 1
    assert http(text, version=(1, 25, 0)).warnings == ()


def test_socket_options() -> None:
    (listen,) = _listens("unix:/a rcvbuf=1k sndbuf=2k reuseport ipv6only=off")
    assert (listen.unix, listen.rcvbuf_octets, listen.sndbuf_octets) == ("/a", 1024, 2048)
    assert (listen.reuseport, listen.ipv6only) == (True, False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("*", 'server name "*" is invalid'),
        ("*a.b", 'server name "*a.b" is invalid'),
        (".", 'server name "." is invalid'),
        ("~", 'empty regex in server name "~"'),
        ("a/", 'server name "a/" has suspicious symbols'),
    ],
)
def test_faults_of_names(name: str, message: str) -> None:
    assert faults(f"server {{ server_name {name}; }}") == [message]


def test_names_that_the_hash_refuses_where_servers_share_an_address() -> None:
    text = "server { server_name a.*.b; } server { listen 80; server_name c..d; }"
    assert faults(text) == [
        'invalid server name or wildcard "a.*.b" on 0.0.0.0:80',
        'invalid server name or wildcard "c..d" on 0.0.0.0:80',
    ]
    assert faults("server { server_name a.*.b; }") == []


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("8000 bind", "8000 backlog=5", "duplicate listen options for 0.0.0.0:8000"),
        ("8000 default", "8000 default", "a duplicate default server for 0.0.0.0:8000"),
        ("unix:/a bind", "unix:/a bind", "duplicate listen options for unix:/a"),
    ],
)
def test_what_two_servers_cannot_both_say(first: str, second: str, message: str) -> None:
    assert faults(f"server {{ listen {first}; }} server {{ listen {second}; }}") == [message]


def test_one_server_cannot_listen_twice() -> None:
    assert faults("server { listen 1; listen *:1; }") == ["a duplicate listen 0.0.0.0:1"]

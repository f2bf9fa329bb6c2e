"""The choice of server and location, on configurations as they are written."""

from __future__ import annotations

import pytest

from upwire.conf.model import Config, build
from upwire.conf.syntax import parse
from upwire.proxy.route import NOTHING_CAPTURED, Captures, Router


def config(http: str) -> Config:
    return build(parse(f"events {{}} http {{ {http} }}"))


def find(locations: str, uri: str) -> tuple[str | None, bool, tuple[str, ...]]:
    """Return the pattern found, whether it is a redirect, and what was captured."""
    built = config(f"server {{ {locations} }}")
    route = Router(built).locations_of(built.servers[0]).find(uri)
    pattern = route.location.pattern if route.location is not None else None
    return pattern, route.is_redirect, route.captures.values


@pytest.mark.parametrize(
    ("locations", "uri", "found"),
    [
        ("", "/", None),
        ("location /a {}", "/", None),
        ("location / {} location /a {}", "/ab", "/a"),
        ("location = / {} location / {}", "/", "/"),
        ("location /a {} location = /a {}", "/a/", "/a"),
        (r"location /a {} location ~ \.x$ {}", "/a.x", r"\.x$"),
        (r"location ^~ /a {} location ~ \.x$ {}", "/a.x", "/a"),
        (r"location ~ A {} location ~* a {}", "/a", "a"),
        ("location / { location /a/ {} location /a/b {} }", "/a/bc", "/a/b"),
        ("location / { location /a {} }", "/b", "/"),
        (r"location /a { location ~ x {} } location ~ y {}", "/a/xy", "x"),
        (r"location ^~ /a { location /a/b {} } location ~ y {}", "/a/by", "/a/b"),
        (r"location /a { location ^~ /a/b {} } location ~ y {}", "/a/by", "y"),
        (r"location ~ a { location ~ b {} }", "/ab", "b"),
        (r"location ~ /a { location = /a {} }", "/a", "/a"),
    ],
)
def test_the_location_for_a_path(locations: str, uri: str, found: str | None) -> None:
    assert find(locations, uri)[0] == found


def test_what_an_expression_captures() -> None:
    assert find(r"location ~ ^/(\w+)/(\w+) {}", "/a/b")[2] == ("/a/b", "a", "b")
    assert find(r"location ~ /(a) { location /(a) {} }", "/a")[2] == ("/a", "a")
    assert find(r"location ~ /a { location /ab {} }", "/ab")[2] == ("/a",)
    assert find(r"location ~ ^/(\w+) { location ~ (b) {} }", "/ab")[2] == ("b", "b")


PASS = "proxy_pass http://127.0.0.1:1;"


@pytest.mark.parametrize(
    ("locations", "is_redirect"),
    [
        (f"location /a/ {{ {PASS} }}", True),
        (f"location = /a/ {{ {PASS} }}", True),
        (f"location /a/ {{ {PASS} }} location = /a {{}}", False),
        (f"location /a/ {{ {PASS} }} location /a {{}}", False),
        (f"location /a/ {{ {PASS} }} location / {{}}", True),
        (f"location /a/ {{ {PASS} }} location ~ a {{}}", True),
        ("location /a/ {}", False),
        ("location /a/ { stub_status; }", False),
    ],
)
def test_a_missing_slash_is_redirected_where_a_location_passes(
    locations: str, is_redirect: bool
) -> None:
    assert find(locations, "/a")[1] is is_redirect


def test_named_locations() -> None:
    built = config("server { location @x {} }")
    table = Router(built).locations_of(built.servers[0])
    named = table.find_named("x")
    assert named is not None
    assert named.pattern in ("x", "@x")
    assert table.find_named("y") is None
    assert table.find("/x").location is None


SERVERS = r"""
    server { listen 80; server_name first; }
    server { listen 80; server_name exact *.left.org right.*; }
    server { listen 80; server_name *.more.left.org right.much.*; }
    server { listen 80 default_server; server_name default; }
    server { listen 80; server_name ~^(?<user>\w+)\.x$; }
    server { listen 80; server_name ""; }
"""


@pytest.mark.parametrize(
    ("host", "index"),
    [
        ("first", 0),
        ("exact", 1),
        ("a.left.org", 1),
        ("a.b.left.org", 1),
        ("a.more.left.org", 2),
        ("left.org", 3),
        ("right.com", 1),
        ("right.much.com", 2),
        ("joe.x", 4),
        ("other", 3),
        ("", 5),
    ],
)
def test_the_server_for_a_host(host: str, index: int) -> None:
    built = config(SERVERS)
    server, captures = Router(built).servers_at(("10.0.0.1", 80), ("0.0.0.0", 80)).find(host)
    assert built.servers.index(server) == index
    if host == "joe.x":
        assert (captures.get("user"), captures.get("1")) == ("joe", "joe")
    else:
        assert captures is NOTHING_CAPTURED


def test_the_first_server_stands_in_without_a_default() -> None:
    built = config("server { listen 80; server_name a; } server { listen 80; server_name b; }")
    table = Router(built).servers_at(("1.1.1.1", 80), ("0.0.0.0", 80))
    assert table.default is built.servers[0]


def test_addresses_that_a_wildcard_covers_are_not_bound() -> None:
    built = config(
        "server { listen 80; listen 127.0.0.1:80; listen 127.0.0.1:81; listen [::1]:80;"
        " listen unix:/s; }"
    )
    router = Router(built)
    bound = router.addresses_to_bind()
    assert ("0.0.0.0", 80) in bound
    assert ("127.0.0.1", 81) in bound
    assert ("/s", 0) in bound
    assert ("127.0.0.1", 80) not in bound
    assert len(router.addresses) == 5


def test_an_address_of_its_own_has_its_own_servers() -> None:
    built = config("server { listen 80; } server { listen 127.0.0.1:80; }")
    router = Router(built)
    wildcard = ("0.0.0.0", 80)
    assert router.servers_at(("127.0.0.1", 80), wildcard).default is built.servers[1]
    assert router.servers_at(("127.0.0.2", 80), wildcard).default is built.servers[0]


def test_captures_by_number_and_name() -> None:
    captures = Captures(("whole", "one"), {"name": 1})
    assert [captures.get(name) for name in ("1", "name", "2", "none")] == ["one", "one", None, None]

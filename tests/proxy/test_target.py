"""Request-targets and hosts against what nginx makes of them."""

from __future__ import annotations

import pytest

from upwire.errors import RemoteProtocolError
from upwire.proxy.target import (
    Target,
    escape_path,
    has_port,
    parse_host,
    parse_target,
    parse_unsafe_uri,
)


@pytest.mark.parametrize(
    ("target", "uri", "args"),
    [
        ("/", "/", ""),
        ("/a/b?x=1&y", "/a/b", "x=1&y"),
        ("/a?", "/a", ""),
        ("/a??b", "/a", "?b"),
        ("/a#b?c", "/a", ""),
        ("/a?b#c", "/a", "b"),
        ("/a%20b", "/a b", ""),
        ("/a%2Fb", "/a/b", ""),
        ("/a%3fb?c", "/a?b", "c"),
        ("/a%23b", "/a#b", ""),
        ("/%25%32%30", "/%20", ""),
        ("/a//b///c", "/a/b/c", ""),
        ("/a/./b/.", "/a/b/", ""),
        ("/a/../b", "/b", ""),
        ("/a/..", "/", ""),
        ("/a/%2e%2e/b", "/b", ""),
        ("/a/b/../", "/a/", ""),
        ("/.a/..b/c.", "/.a/..b/c.", ""),
        ("/caf\xc3\xa9", "/caf\xc3\xa9", ""),
        ("/a?x=../%2e//", "/a", "x=../%2e//"),
    ],
)
def test_paths_are_decoded_and_resolved(target: str, uri: str, args: str) -> None:
    parsed = parse_target(target)
    assert (parsed.uri, parsed.args, parsed.request_uri) == (uri, args, target)


@pytest.mark.parametrize(
    ("target", "uri"), [("/a//b", "/a//b"), ("//..", "/"), ("/a//../b", "/a/b")]
)
def test_slashes_stay_where_they_are_not_merged(target: str, uri: str) -> None:
    assert parse_target(target, merge_slashes=False).uri == uri


@pytest.mark.parametrize(
    "target",
    [
        *("*", "", "a/b", "host:80", "http:/x", "http:///x"),
        *("/..", "/a/../../b", "//..", "/%2e%2e"),
        *("/%", "/%4", "/%zz", "/%00"),
    ],
)
def test_what_nginx_refuses_is_refused_with_400(target: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_target(target)
    assert caught.value.status == 400


def test_absolute_form_gives_the_host() -> None:
    assert parse_target("http://Ex.org:81/a%20b?c") == Target(
        "/a b", "c", "/a%20b?c", "Ex.org:81", True
    )
    assert parse_target("http://ex.org") == Target("/", "", "/", "ex.org", False)
    assert parse_target("ws://ex.org?c") == Target("/", "c", "?c", "ex.org", False)


def test_a_path_is_escaped_again() -> None:
    assert escape_path('/a b?#%"<>\\^`{|}\x7f\xe9+;&=~') == (
        "/a%20b%3F%23%25%22%3C%3E%5C%5E%60%7B%7C%7D%7F%E9+;&=~"
    )


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("example.org:8000", "example.org"),
        ("a_b~!$&'()*+,;=%41", "a_b~!$&'()*+,;=%41"),
        ("[::1]:80", "[::1]"),
        ("h:", "h"),
        ("h:65535", "h"),
        ("h:000000080", "h"),
    ],
)
def test_hosts(value: str, name: str) -> None:
    assert parse_host(value)[0] == name


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "a..b",
        "a b",
        "a/b",
        "a@b",
        "h:x",
        "h:65536",
        "h:" + "9" * 5000,
        "h:1:2",
        "[::1",
        "[::1]x",
        ":80",
    ],
)
def test_what_is_no_host_is_refused(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_host(value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a%20b?c%20d", ("/a b", "c%20d")),
        ("/a%3fb", ("/a?b", "")),
        ("/..a/b..", ("/..a/b..", "")),
        ("/a/../b", None),
        ("/a/%2e%2e", None),
        ("/a%00", None),
        ("/a%x", None),
    ],
)
def test_paths_that_a_content_names(text: str, expected: tuple[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(RemoteProtocolError):
            parse_unsafe_uri(text)
    else:
        assert parse_unsafe_uri(text) == expected


@pytest.mark.parametrize(("value", "port"), [("a", 0), ("a:", 0), ("a:8080", 8080), ("[::1]:1", 1)])
def test_ports(value: str, port: int) -> None:
    assert parse_host(value)[1] == port


@pytest.mark.parametrize(("text", "expected"), [("a:80", True), ("a", False), ("/", False)])
def test_targets_of_connect(text: str, expected: bool) -> None:
    assert has_port(text) is expected

"""WebSocket URLs."""

from __future__ import annotations

import pytest

from upwire.client.url import WebSocketUrl, parse_url, redirect
from upwire.errors import LocalProtocolError


@pytest.mark.parametrize(
    ("text", "expected", "authority"),
    [
        ("ws://example.org", WebSocketUrl("ws", "example.org", 80, "/"), "example.org"),
        ("wss://Example.ORG/a", WebSocketUrl("wss", "example.org", 443, "/a"), "example.org"),
        ("ws://h:80/", WebSocketUrl("ws", "h", 80, "/"), "h"),
        ("wss://h:80/?", WebSocketUrl("wss", "h", 80, "/"), "h:80"),
        ("WS://h:8080?a=b", WebSocketUrl("ws", "h", 8080, "/?a=b"), "h:8080"),
        ("ws://[::1]:9/x", WebSocketUrl("ws", "::1", 9, "/x"), "[::1]:9"),
        ("ws://[::1]", WebSocketUrl("ws", "::1", 80, "/"), "[::1]"),
        ("ws://bücher.example/ä", WebSocketUrl("ws", "xn--bcher-kva.example", 80, "/%C3%A4"), None),
        ("ws://h/a%20b?c=%2F", WebSocketUrl("ws", "h", 80, "/a%20b?c=%2F"), None),
        (
            "ws+unix:///run/app.sock:/chat?a=b",
            WebSocketUrl("ws+unix", "localhost", 80, "/chat?a=b", unix="/run/app.sock"),
            "localhost",
        ),
        (
            "ws+unix:///run/my%20app.sock",
            WebSocketUrl("ws+unix", "localhost", 80, "/", unix="/run/my app.sock"),
            None,
        ),
        (
            "ws://ada:p%40ss@h/",
            WebSocketUrl("ws", "h", 80, "/", authorization="Basic YWRhOnBAc3M="),
            None,
        ),
        ("ws://ada@h/", WebSocketUrl("ws", "h", 80, "/", authorization="Basic YWRhOg=="), None),
    ],
)
def test_urls(text: str, expected: WebSocketUrl, authority: str | None) -> None:
    url = parse_url(text)
    assert url == expected
    assert authority in (None, url.authority)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://h/x", "use ws://h/x"),
        ("https://h/x", "use wss://h/x"),
        ("h:8080", "use ws:// or wss://"),
        ("/chat", "use ws:// or wss://"),
        ("ws:///x", "has no host"),
        ("ws://h/x#top", "has a fragment"),
        ("ws://h/x#", "has a fragment"),
        ("ws://h:99999/", "malformed"),
        ("ws://h:x/", "malformed"),
        ("ws://[::1/", "malformed"),
        ("ws://h/a b", "percent-encode it"),
        ("ws://h/\r\nX: y", "percent-encode it"),
        ("ws://h/\udcff", "percent-encode it"),
        ("ws://" + "ü" * 80, "not a host name"),
        ("ws+unix://host/run/app.sock:/", "has no socket"),
        ("ws+unix:app.sock", "has no socket"),
        ("ws+unix:///app.sock:chat", "begins with no slash"),
    ],
)
def test_what_is_no_url_says_why(text: str, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    ["ws://h/", "wss://h:8443/a?b=c", "ws://[::1]:81/", "ws+unix:///run/app.sock:/chat"],
)
def test_a_url_is_shown_as_it_was(text: str) -> None:
    assert str(parse_url(text)) == text


@pytest.mark.parametrize(
    ("text", "location", "expected"),
    [
        ("ws://h/a/b", "/c", "ws://h/c"),
        ("ws://h/a/b", "c?d", "ws://h/a/c?d"),
        ("ws://h:81/a", "http://h:81/a/", "ws://h:81/a/"),
        ("ws://h/a", "https://h/a", "wss://h/a"),
        ("wss://h/a", "https://other/a", "wss://other/a"),
        ("wss://h/a", "//other/a", "wss://other/a"),
        ("ws+unix:///s.sock:/a", "/b", "ws+unix:///s.sock:/b"),
    ],
)
def test_where_redirects_lead(text: str, location: str, expected: str) -> None:
    assert str(redirect(parse_url(text), location)) == expected


@pytest.mark.parametrize(
    ("text", "location", "message"),
    [
        ("wss://h/a", "http://h/a", "would leave TLS"),
        ("wss://h/a", "ws://h/a", "would leave TLS"),
        ("ws://h/a", "ftp://h/a", "none of a WebSocket"),
        ("ws://h/a", "http://h:x/", "malformed"),
        ("ws+unix:///s.sock:/a", "http://other/b", "leaves the unix socket /s.sock"),
    ],
)
def test_where_redirects_may_not_lead(text: str, location: str, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        redirect(parse_url(text), location)


def test_credentials_do_not_go_along() -> None:
    url = parse_url("ws://ada:secret@h/a")
    assert redirect(url, "/b").authorization is None
    assert redirect(url, "http://bob:x@h/b").authorization is not None
    assert redirect(url, "/b").origin == url.origin

"""What goes upstream and what comes back, as values."""

from __future__ import annotations

import pytest

from upwire.conf.model import Location, ProxyPass, ProxySettings, build
from upwire.conf.syntax import parse
from upwire.proxy.headers import (
    downstream_fields,
    head_octets,
    on_one_line,
    rewrite_redirect,
    switch_fault,
    upstream_request,
    upstream_target,
)
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead, ResponseHead


def location(directives: str, *, pattern: str = "/", version: str = "1.31.5") -> Location:
    major, minor, patch = map(int, version.split("."))
    text = f"events {{}} http {{ server {{ location {pattern} {{ {directives} }} }} }}"
    return build(parse(text), version=(major, minor, patch)).servers[0].locations[0]


def proxy(directives: str, *, pattern: str = "/", version: str = "1.31.5") -> ProxySettings:
    return location(directives, pattern=pattern, version=version).settings.proxy


def lookup(name: str) -> str | None:
    values = {"proxy_host": "backend:8080", "http_upgrade": "websocket", "uri": "/a\r\nX: y"}
    return values.get(name)


PASS = "proxy_pass http://backend:8080;"
HEAD = RequestHead(
    "GET",
    "/x",
    (1, 1),
    Headers(
        [
            ("Host", "client.test"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Keep-Alive", "1"),
            ("TE", "trailers"),
            ("X-Mine", "1"),
            ("Sec-WebSocket-Key", "k"),
        ]
    ),
)


def sent(directives: str, *, version: str = "1.31.5") -> tuple[RequestHead, list[tuple[str, str]]]:
    head = upstream_request(
        HEAD, proxy(PASS + directives, version=version), method="GET", target="/t", lookup=lookup
    )
    return head, list(head.headers.items())


def test_hop_by_hop_fields_stay_behind() -> None:
    head, fields = sent("")
    assert (head.method, head.target, head.version) == ("GET", "/t", (1, 1))
    assert fields == [("Host", "backend:8080"), ("X-Mine", "1"), ("Sec-WebSocket-Key", "k")]


def test_an_older_nginx_closes_and_speaks_1_0() -> None:
    head, fields = sent("", version="1.22.1")
    assert head.version == (1, 0)
    assert fields[:2] == [("Host", "backend:8080"), ("Connection", "close")]


def test_the_three_lines_bring_the_upgrade() -> None:
    _, fields = sent(
        'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
    )
    assert ("Upgrade", "websocket") in fields
    assert ("Connection", "upgrade") in fields


def test_fields_are_replaced_emptied_and_left_out() -> None:
    _, fields = sent('proxy_set_header X-Mine ""; proxy_set_header X-New "a\\tb";')
    assert "X-Mine" not in dict(fields)
    _, fields = sent("proxy_pass_request_headers off;")
    assert fields == [("Host", "backend:8080")]


def test_no_variable_begins_a_field_of_its_own() -> None:
    _, fields = sent("proxy_set_header X-Uri $uri;")
    assert ("X-Uri", "/a X: y") in fields
    assert on_one_line(" a\r\n\0b\n") == "a b"


def test_nothing_newer_than_1_1_is_spoken() -> None:
    head, _ = sent("proxy_http_version 2;")
    assert head.version == (1, 1)


def test_another_method() -> None:
    head, _ = sent("proxy_method POST;")
    assert head.method == "POST"


@pytest.mark.parametrize(
    ("uri_part", "prefix", "uri", "args", "request_uri", "is_escaped", "target"),
    [
        ("", "/a", "/a b", "", "/a%20b", True, "/a%20b"),
        ("", "/a", "/a b", "", "?x", False, "/a b?x"),
        ("", "/a", "/a b", "x", "", False, "/a%20b?x"),
        ("/", "/a", "/a/b", "x=1", "/a/b?x=1", False, "//b?x=1"),
        ("/", "/a/", "/a/b", "", "/a/b", False, "/b"),
        ("/app/", "/a/", "/a/b c", "", "/a/b%20c", True, "/app/b%20c"),
        ("/app", "/", "/", "", "/", False, "/app"),
    ],
)
def test_the_target(
    uri_part: str,
    prefix: str,
    uri: str,
    args: str,
    request_uri: str,
    is_escaped: bool,
    target: str,
) -> None:
    passed = proxy(f"proxy_pass http://backend:8080{uri_part};", pattern=prefix).pass_
    assert isinstance(passed, ProxyPass)
    if request_uri == "?x":
        args = "x"
    got = upstream_target(
        passed,
        prefix=prefix,
        uri=uri,
        args=args,
        request_uri=request_uri,
        is_escaped=is_escaped,
    )
    assert got == target


def back(directives: str, *fields: tuple[str, str], pattern: str = "/") -> list[tuple[str, str]]:
    head = ResponseHead(200, "OK", (1, 1), Headers(fields))
    settings = proxy(PASS + directives, pattern=pattern)
    return downstream_fields(head, settings, lookup, lambda path: f"http://here{path}")


def test_fields_of_the_hop_and_hidden_ones_stay_behind() -> None:
    fields = back(
        "proxy_hide_header X-Secret; proxy_pass_header Server;",
        ("Connection", "close"),
        ("Keep-Alive", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Date", "d"),
        ("Server", "s"),
        ("X-Accel-Buffering", "no"),
        ("X-Secret", "1"),
        ("Upgrade", "websocket"),
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
        ("Content-Type", "a/b"),
        ("Content-Type", "c/d"),
    )
    assert fields == [
        ("Server", "s"),
        ("Upgrade", "websocket"),
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
        ("Content-Type", "a/b"),
    ]


@pytest.mark.parametrize(
    ("directives", "value", "rewritten"),
    [
        ("", "http://backend:8080/x", "http://here/x"),
        ("", "http://other/x", "http://other/x"),
        ("", "/x", "/x"),
        ("proxy_redirect off;", "http://backend:8080/x", "http://backend:8080/x"),
        ("proxy_redirect http://other/ https://new/;", "http://other/x", "https://new/x"),
        (r"proxy_redirect ~^http://(\w+)/(.*)$ /$1/$2;", "http://other/x", "http://here/other/x"),
        (r"proxy_redirect ~^nothing /;", "http://other/x", "http://other/x"),
        (
            "proxy_redirect ~^http://other /$proxy_host;",
            "http://other/x",
            "http://here/backend:8080",
        ),
    ],
)
def test_locations_are_rewritten(directives: str, value: str, rewritten: str) -> None:
    assert back(directives, ("Location", value)) == [("Location", rewritten)]


@pytest.mark.parametrize(
    ("value", "rewritten"),
    [
        ("5; url=http://backend:8080/x", "5; url=/x"),
        ("5; URL=http://other/", "5; URL=http://other/"),
        ("5", "5"),
    ],
)
def test_a_refresh_is_rewritten(value: str, rewritten: str) -> None:
    assert back("", ("Refresh", value)) == [("Refresh", rewritten)]


def test_the_first_rule_that_fits_counts() -> None:
    rules = proxy(PASS + "proxy_redirect /a /1; proxy_redirect /ab /2;").redirects
    assert rewrite_redirect("/abc", rules, lookup) == "/1bc"


@pytest.mark.parametrize(
    ("asked", "answered", "fault"),
    [
        ("", "", "unasked"),
        ("echo", "", None),
        ("WebSocket", "websocket Upgrade s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", None),
        ("websocket", "websocket Upgrade s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", "Sec-WebSocket-Accept"),
        ("websocket", "websocket keep-alive s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Upgrade or Connection"),
        ("websocket", "h2c Upgrade s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Upgrade or Connection"),
        ("websocket", "", "Upgrade or Connection"),
    ],
)
def test_a_switch_that_is_wrong(asked: str, answered: str, fault: str | None) -> None:
    request = Headers({"Upgrade": asked} if asked else ())
    request.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    names = ("Upgrade", "Connection", "Sec-WebSocket-Accept")
    response = Headers(zip(names, answered.split(), strict=False))
    found = switch_fault(
        RequestHead("GET", "/", (1, 1), request), ResponseHead(101, "", headers=response)
    )
    assert found is None if fault is None else found is not None and found.endswith(fault)


def test_octets_of_a_head() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: yz\r\n\r\n"
    assert head_octets("GET / HTTP/1.1", Headers([("Host", "a"), ("X", "yz")])) == len(head)

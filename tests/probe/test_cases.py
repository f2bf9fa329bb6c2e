"""Each case differs from the handshake in what it is for, and is a request that can be sent."""

from __future__ import annotations

import pytest

from upwire.client.url import parse_url
from upwire.probe.cases import (
    BIG_ANSWER,
    VARIANTS,
    Asked,
    Case,
    at_resource,
    handshake,
    other_slash,
    without_extension,
)
from upwire.wire.handshake import ServerPolicy, check_request
from upwire.wire.http1 import HeadLimits, parse_request_head, serialize_request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ASKED = Asked(parse_url("ws://user:word@a.test:81/chat?x=1"), KEY, (("X-Own", "1"),))
MADE = {case.name: case.make(ASKED) for case in (*VARIANTS, BIG_ANSWER)}


@pytest.mark.parametrize("case", [*VARIANTS, BIG_ANSWER], ids=lambda case: case.name)
def test_it_can_be_sent(case: Case) -> None:
    octets = serialize_request(case.make(ASKED))
    parsed = parse_request_head(octets, HeadLimits(line_octets=65536, head_octets=65536))
    assert parsed is not None
    assert parsed[1] == len(octets)
    assert case.title


def test_the_handshake_is_that_of_a_page() -> None:
    head = handshake(ASKED)
    assert check_request(head, ServerPolicy()).subprotocol is None
    assert head.headers.get("Origin") == "http://a.test:81"
    assert head.headers.get("X-Own") == "1"
    assert head.headers.get("Authorization") == "Basic dXNlcjp3b3Jk"


def test_an_origin_and_subprotocols_are_the_user_s() -> None:
    asked = Asked(parse_url("wss://a.test/"), KEY, subprotocols=("chat",), origin="null")
    assert handshake(asked).headers.get("Origin") == "null"
    assert handshake(asked).headers.get("Sec-WebSocket-Protocol") == "chat"
    assert Asked(parse_url("wss://a.test/"), KEY).own_origin == "https://a.test"


def test_each_differs_as_its_name_says() -> None:
    assert "Upgrade" not in MADE["plain"].headers
    assert "Origin" not in MADE["no-origin"].headers
    assert MADE["evil-origin"].headers.get("Origin") == "https://evil.example"
    assert MADE["version-12"].headers.get("Sec-WebSocket-Version") == "12"
    assert MADE["http-1.0"].version == (1, 0)
    assert MADE["post"].method == "POST"
    assert MADE["query"].target == "/chat?x=1&upwire-probe=1"
    assert MADE["slash"].target == "/chat/?x=1"
    assert MADE["lower"].headers.items().__next__()[0] == "host"
    assert at_resource(ASKED, "/").target == "/"


@pytest.mark.parametrize(
    ("resource", "other"),
    [("/", "/"), ("/a", "/a/"), ("/a/", "/a"), ("/a?b=/", "/a/?b=/"), ("//", "/")],
)
def test_the_other_slash(resource: str, other: str) -> None:
    assert other_slash(resource) == other


def test_an_extension_is_cut() -> None:
    assert without_extension("/a.b/feed.json?x=1.2") == "/a.b/feed"

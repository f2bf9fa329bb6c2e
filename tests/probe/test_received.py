"""What a backend tells the prober, there and back."""

from __future__ import annotations

import pytest

from upwire.probe.received import Received, decode, encode
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead

HEAD = RequestHead("GET", "/ws?a=1", (1, 0), Headers([("Host", "a"), ("host", "b")]))


def test_what_is_encoded_is_decoded() -> None:
    received = decode(encode(Received(HEAD, 7)))
    assert received is not None
    assert (received.connection, received.head.target, received.head.version) == (
        7,
        "/ws?a=1",
        (1, 0),
    )
    assert list(received.head.headers.items()) == [("Host", "a"), ("host", "b")]


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        "",
        "hello",
        "[" * 100_000,
        "[]",
        '{"upwire-probe": 2}',
        encode(Received(HEAD)).replace('"GET"', "1"),
        encode(Received(HEAD)).replace('["Host", "a"]', '["Host"]'),
        encode(Received(HEAD)).replace('["Host", "a"]', '["Ho st", "a"]'),
        encode(Received(HEAD)).replace('"a"', '"a\\r\\nb"'),
    ],
)
def test_anything_else_is_nothing(text: str | bytes) -> None:
    assert decode(text) is None

"""What a handler is given of a request."""

from __future__ import annotations

from typing import cast

import pytest

from kit.virtual_time import run
from upwire.errors import RemoteProtocolError
from upwire.net.http1 import HttpExchange
from upwire.server import Request
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead


class Exchange:
    """As much of an HttpExchange as a request looks at."""

    class stream:
        peer_address = ("192.0.2.7", 4711)

    def __init__(self, target: str = "/", body: bytes = b"") -> None:
        self.head = RequestHead("POST", target, (1, 1), Headers([("Host", "h"), ("X-A", "1")]))
        self.reads = 0
        self._body = body

    async def read_body(self, limit_octets: int) -> bytes:
        self.reads += 1
        return self._body[:limit_octets]


def request_of(exchange: Exchange) -> Request:
    return Request(cast("HttpExchange", exchange), max_body_octets=100)


def test_the_head_is_at_hand() -> None:
    request = request_of(Exchange("/a%20b?x=1&y=%C3%A4&x=2&empty="))
    assert request.method == "POST"
    assert request.path == "/a%20b"
    assert request.query == {"x": "1", "y": "ä", "empty": ""}
    assert request.headers["X-A"] == "1"
    assert request.remote_address == ("192.0.2.7", 4711)
    assert request.path_params == {}
    assert request.context == {}


def test_the_content_is_read_once() -> None:
    async def main() -> None:
        exchange = Exchange(body=b'{"a": 1}')
        request = request_of(exchange)
        assert await request.body() == b'{"a": 1}'
        assert await request.text() == '{"a": 1}'
        assert await request.json() == {"a": 1}
        assert exchange.reads == 1

    run(main())


def test_what_is_not_as_asked_for_is_400() -> None:
    async def main() -> None:
        with pytest.raises(RemoteProtocolError, match="not UTF-8") as raised:
            await request_of(Exchange(body=b"\xff")).text()
        assert raised.value.status == 400
        with pytest.raises(RemoteProtocolError, match="not JSON") as raised:
            await request_of(Exchange(body=b"{")).json()
        assert raised.value.status == 400

    run(main())

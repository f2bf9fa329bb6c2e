from __future__ import annotations

import json

import pytest

from kit import virtual_time
from kit.page import open_page
from upwire.demo.messages import decode, encode, handshake, pong
from upwire.errors import RemoteProtocolError
from upwire.net.websocket import WebSocket


def test_encode_keeps_letters_of_all_scripts() -> None:
    assert encode("said", text="žá") == '{"type":"said","text":"žá"}'


def test_decode_reads_an_object() -> None:
    assert decode('{"type": "ping", "at": 1}') == {"type": "ping", "at": 1}


@pytest.mark.parametrize(
    ("data", "close_code"),
    [
        (b"{}", 1003),
        ("[]", 1008),
        ("", 1008),
        ('{"type"', 1008),
        ("[" * 100_000, 1008),
    ],
)
def test_decode_refuses_what_no_page_sends(data: str | bytes, close_code: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(data)

    assert caught.value.close_code == close_code


def test_a_pong_returns_the_pages_time() -> None:
    assert json.loads(pong({"type": "ping", "at": 12.5})) == {"type": "pong", "at": 12.5}


def test_a_time_may_be_larger_than_any_float() -> None:
    assert json.loads(pong({"type": "ping", "at": 10**400}))["at"] == 10**400


@pytest.mark.parametrize("at", [None, "1", float("nan"), float("inf"), []])
def test_a_ping_without_a_time_is_refused(at: object) -> None:
    with pytest.raises(RemoteProtocolError):
        pong({"type": "ping", "at": at})


def test_the_handshake_is_told_as_it_was() -> None:
    async def tell(ws: WebSocket) -> None:
        await ws.send(handshake(ws))

    async def main() -> None:
        async with open_page(tell, "/ws/chat?name=Ada") as page:
            told = await page.next("handshake")

        assert told["request"]["start"] == "GET /ws/chat?name=Ada HTTP/1.1"
        assert ["Host", "demo.example"] in told["request"]["fields"]
        assert told["response"]["start"] == "HTTP/1.1 101 Switching Protocols"
        names = [name for name, _ in told["response"]["fields"]]
        assert "Sec-WebSocket-Accept" in names
        assert told["peer"] == "192.0.2.1:1001"

    virtual_time.run(main())

"""One request and whatever comes of it."""

from __future__ import annotations

import asyncio

import pytest

from kit.backend import backend, say_and_close
from kit.probing import CASES, SWITCH, asked_at, asker_of
from upwire.probe.asking import BODY_OCTETS_MAX, Answer
from upwire.probe.cases import handshake


def scripted(octets: bytes, *, timeout_s: float = 5.0) -> Answer:
    async def main() -> Answer:
        async with backend(say_and_close(octets), []) as port, asyncio.timeout(10):
            return await asker_of(port, timeout_s).ask(handshake(asked_at(port)))

    return asyncio.run(main())


@pytest.mark.parametrize(
    "octets", [b"", b"\x16\x03\x01", b"HTTP/1.1 200", b"SSH-2.0-x\r\n\r\n", b"\r\n\r\n" * 9]
)
def test_what_is_no_answer_says_why(octets: bytes) -> None:
    answer = scripted(octets)
    assert (answer.status, answer.response, answer.is_open) == (0, None, False)
    assert answer.error
    assert answer.field("Server") == ""


@pytest.mark.parametrize(
    "octets", [b"", b"\x81\x02{}", b"\xff\xff", b"\x88\x00", b"\x89\x00", b"\x81\x7f" + b"\xff" * 8]
)
def test_what_follows_a_101_may_be_anything(octets: bytes) -> None:
    answer = scripted(SWITCH + octets)
    assert answer.is_open
    assert answer.received is None


def test_another_protocol_is_not_spoken() -> None:
    assert scripted(SWITCH.replace(b"websocket", b"h2c") + b"\x00\x00").is_open


@pytest.mark.parametrize(
    ("octets", "length"),
    [
        (b"HTTP/1.1 400 X\r\n\r\nshort", 5),
        (b"HTTP/1.1 400 X\r\nContent-Length: 9\r\n\r\ncut", 3),
        (b"HTTP/1.1 200 X\r\n\r\n" + b"x" * 90_000, BODY_OCTETS_MAX),
    ],
)
def test_a_content_is_read_as_far_as_it_comes(octets: bytes, length: int) -> None:
    assert len(scripted(octets).body) == length


def test_silence_has_an_end() -> None:
    async def main() -> Answer:
        async def listen(_: bytes, __: object, ___: object) -> None:
            return None

        async with backend(listen, []) as port, asyncio.timeout(10):
            return await asker_of(port, 0.05).ask(handshake(asked_at(port)))

    assert "timed out" in asyncio.run(main()).error


def test_a_port_without_a_server_says_so() -> None:
    async def main() -> Answer:
        async with backend(say_and_close(b""), []) as port:
            pass
        return await asker_of(port).ask(handshake(asked_at(port)))

    assert "Connection refused" in asyncio.run(main()).error


def test_deflate_that_is_chosen_wrongly_is_not_used() -> None:
    async def main() -> Answer:
        answer = SWITCH[:-2] + b"Sec-WebSocket-Extensions: x-other\r\n\r\n"
        async with backend(say_and_close(answer), []) as port, asyncio.timeout(10):
            return await asker_of(port).ask(CASES["offers"].make(asked_at(port)))

    assert asyncio.run(main()).is_open

"""The backend that shows what arrives, and the asker that reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kit.probing import CASES, asked_at, asker_of
from upwire.probe.asking import Answer
from upwire.probe.cases import handshake
from upwire.probe.echo_backend import PADDING_FIELD, echo_backend, serve_until_cancelled
from upwire.wire.websocket import CloseReceived, Disconnected


def run(test: Callable[[int], Awaitable[None]]) -> None:
    async def main() -> None:
        async with echo_backend("127.0.0.1", 0) as port, asyncio.timeout(10):
            await test(port)

    asyncio.run(main())


def answer_of(case: str) -> Answer:
    answers: list[Answer] = []

    async def test(port: int) -> None:
        answers.append(await asker_of(port).ask(CASES[case].make(asked_at(port))))

    run(test)
    return answers[0]


def test_a_right_handshake_opens_and_is_shown() -> None:
    async def test(port: int) -> None:
        asker = asker_of(port)
        answer, conversation = await asker.open(handshake(asked_at(port)))
        assert conversation is not None
        assert answer.is_open
        assert asker.greets
        assert answer.received is not None
        assert answer.received.head.target == "/ws?a=1"
        assert await conversation.ping(5) is not None
        conversation.connection.send_message(b"\x00" * 9)
        conversation.flush()
        assert await conversation.next_message(5) == b"\x00" * 9
        await conversation.close()
        again = await asker.ask(handshake(asked_at(port)))
        assert again.received is not None
        assert again.received.connection == 2

    run(test)


@pytest.mark.parametrize(
    ("case", "status"),
    [("plain", 200), ("version-12", 426), ("post", 405), ("http-1.0", 400), ("h2c", 200)],
)
def test_anything_else_is_shown_too(case: str, status: int) -> None:
    answer = answer_of(case)
    assert answer.status == status
    assert answer.received is not None
    assert answer.received.head.version == answer.request.version


def test_what_is_offered_is_taken() -> None:
    answer = answer_of("offers")
    assert answer.field("Sec-WebSocket-Protocol") == "upwire-probe"
    assert answer.field("Sec-WebSocket-Extensions").startswith("permessage-deflate")
    assert answer.received is not None


def test_an_answer_is_as_large_as_asked() -> None:
    assert len(answer_of("big-answer").field(PADDING_FIELD)) == 6000
    assert answer_of("cookie").is_open


def test_an_end_behind_a_message_still_gets_the_echo() -> None:
    async def test(port: int) -> None:
        _, conversation = await asker_of(port).open(handshake(asked_at(port)))
        assert conversation is not None
        conversation.connection.send_message("last")
        conversation.flush()
        conversation.stream.write_eof()
        assert await conversation.next_message(5) == "last"
        assert isinstance(await conversation.next_event(5), Disconnected)
        await conversation.close()

    run(test)


def test_two_hosts_are_refused_in_words() -> None:
    async def test(port: int) -> None:
        head = handshake(asked_at(port))
        head.headers.add("Host", "other")
        answer = await asker_of(port).ask(head)
        assert answer.status == 400
        assert b"more than one Host" in answer.body

    run(test)


def test_a_broken_frame_is_closed() -> None:
    async def test(port: int) -> None:
        _, conversation = await asker_of(port).open(handshake(asked_at(port)))
        assert conversation is not None
        conversation.stream.write(b"\xff\x80\x00\x00\x00\x00")
        event = await conversation.next_event(5)
        assert isinstance(event, CloseReceived)
        assert event.code == 1002
        await conversation.close()

    run(test)


def test_the_command_says_where_it_listens(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with asyncio.timeout(0.05):
            await serve_until_cancelled("127.0.0.1", 0)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert capsys.readouterr().out.startswith("echo backend on 127.0.0.1:")

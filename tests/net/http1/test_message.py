from __future__ import annotations

import asyncio

import pytest

from kit import virtual_time
from kit.memory_stream import memory_pair
from upwire.errors import LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.http1.message import ContentWriter, MessageReader
from upwire.net.stream import Stream
from upwire.wire.http1 import (
    DEFAULT_LIMITS,
    NO_CONTENT,
    BodyKind,
    Framing,
    RequestHeadParser,
)

HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = Framing(BodyKind.CHUNKED)
UNTIL_CLOSE = Framing(BodyKind.UNTIL_CLOSE)


async def feed(stream: Stream, octets: bytes, step: int) -> None:
    for at in range(0, len(octets), step):
        stream.write(octets[at : at + step])
        await virtual_time.settle(3)
    stream.close()


def reading(
    octets: bytes, framing: Framing, *, step: int | None = None, rest: bytes = b""
) -> list[bytes]:
    """Read a head and the content behind it; rest is to be left over."""

    async def main() -> list[bytes]:
        near, far = memory_pair()
        reader = MessageReader(near, DEFAULT_LIMITS)
        feeding = asyncio.create_task(feed(far, octets, step or len(octets)))
        assert await reader.wait_octets(timeout_s=1, doing="waiting")
        assert await reader.wait_octets(timeout_s=1, doing="waiting")
        await reader.read_head(RequestHeadParser(), timeout_s=1, doing="reading head")
        reader.begin_content(framing)
        contents = []
        while content := await reader.read_content(timeout_s=1, doing="reading"):
            contents.append(content)
        assert reader.is_content_complete
        await feeding
        assert reader.has_octets is bool(rest)
        assert reader.octets_read + near.unread_octets == len(octets)
        assert reader.give_back() is near
        assert near.unread_octets == len(rest)
        assert not rest or await near.read() == rest
        assert not reader.has_octets
        assert not await reader.wait_octets(timeout_s=1, doing="waiting")
        near.close()
        return contents

    return virtual_time.run(main())


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize("rest", [b"", b"GET"])
@pytest.mark.parametrize(
    ("framing", "octets", "content"),
    [
        (NO_CONTENT, b"", b""),
        (Framing(BodyKind.LENGTH, 3), b"abc", b"abc"),
        (CHUNKED, b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    ],
)
def test_content(
    framing: Framing, octets: bytes, content: bytes, rest: bytes, step: int | None
) -> None:
    assert b"".join(reading(HEAD + octets + rest, framing, step=step, rest=rest)) == content


def test_what_one_receive_brings_is_one_piece() -> None:
    chunks = b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
    assert reading(HEAD + chunks, CHUNKED) == [b"abc"]


def test_content_until_the_end() -> None:
    assert reading(HEAD + b"abc", UNTIL_CLOSE) == [b"abc"]


def test_content_that_is_cut() -> None:
    with pytest.raises(StreamError, match="ended by the peer while reading"):
        reading(HEAD + b"ab", Framing(BodyKind.LENGTH, 3))


def test_content_that_is_broken() -> None:
    with pytest.raises(RemoteProtocolError):
        reading(HEAD + b"zz\r\n", CHUNKED)


def test_a_head_that_is_cut() -> None:
    with pytest.raises(StreamError, match="ended by the peer while reading head"):
        reading(HEAD[:-1], NO_CONTENT)


def test_a_head_that_drips_is_given_its_whole_time_in_the_error() -> None:
    async def main() -> None:
        near, far = memory_pair()
        reader = MessageReader(near, DEFAULT_LIMITS)
        far.write(HEAD[:3])
        reading = asyncio.create_task(
            reader.read_head(RequestHeadParser(), timeout_s=2, doing="reading head")
        )
        await asyncio.sleep(1)
        far.write(HEAD[3:6])
        with pytest.raises(StreamError, match="timed out after 2 s while reading head"):
            await reading
        near.abort()
        await near.wait_closed()

    virtual_time.run(main())


def writing(framing: Framing, *pieces: bytes) -> bytes:
    async def main() -> bytes:
        near, far = memory_pair()
        writer = ContentWriter(near, framing, timeout_s=1, doing="sending")
        await writer.send(b"", head=b"head ")
        for piece in pieces:
            await writer.send(piece)
        assert not (writer.is_complete and framing.length is None and pieces)
        await writer.finish()
        await writer.finish()
        assert writer.is_complete
        with pytest.raises(LocalProtocolError):
            await writer.send(b"late")
        near.close()
        return await far.read()

    return virtual_time.run(main())


def test_sending() -> None:
    assert writing(NO_CONTENT) == b"head "
    assert writing(Framing(BodyKind.LENGTH, 3), b"a", b"", b"bc") == b"head abc"
    assert writing(CHUNKED, b"a", b"", b"bc") == b"head 1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
    assert writing(UNTIL_CLOSE, b"a", b"bc") == b"head abc"


@pytest.mark.parametrize("octets", [b"ab", b"abcd"])
def test_another_length_than_declared(octets: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        writing(Framing(BodyKind.LENGTH, 3), octets)


@pytest.mark.parametrize("octets", [b"", b"x" * 100_000])
def test_a_peer_that_takes_nothing_holds_up_the_end(octets: bytes) -> None:
    async def main() -> None:
        near, far = memory_pair()
        far.transport.pause_reading()
        writer = ContentWriter(near, UNTIL_CLOSE, timeout_s=1, doing="sending")
        near.write(bytes(200_000))
        end = writer.send(octets) if octets else writer.finish()
        with pytest.raises(StreamError, match=r"timed out after 1 s while sending"):
            await end
        near.abort()
        await near.wait_closed()

    virtual_time.run(main())

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kit import virtual_time
from kit.memory_stream import memory_pair
from upwire.errors import LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.http1 import HttpClientConnection
from upwire.net.http1.client import INTERIM_RESPONSES_MAX
from upwire.net.stream import Stream
from upwire.wire.fields import Headers
from upwire.wire.http1 import BodyKind, RequestHead

Conversation = Callable[[HttpClientConnection, Stream], Awaitable[None]]


def converse(conversation: Conversation, *, send_timeout_s: float | None = 60) -> None:
    """Run it on a client, and on the server's end of its connection."""

    async def main() -> None:
        near, far = memory_pair()
        await conversation(HttpClientConnection(near, send_timeout_s=send_timeout_s), far)
        for stream in (near, far):
            stream.abort()
            await stream.wait_closed()

    virtual_time.run(main())


def request(
    method: str = "GET", *fields: tuple[str, str], version: tuple[int, int] = (1, 1)
) -> RequestHead:
    return RequestHead(method, "/", version, Headers([("Host", "x"), *fields]))


async def read_all(connection: HttpClientConnection) -> bytes:
    content = b""
    while octets := await connection.read(timeout_s=1):
        content += octets
    return content


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_one_request_after_the_other() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        assert connection.is_reusable
        for _ in range(2):
            await connection.send_head(request())
            assert not connection.has_answer_begun
            assert await server.read() == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            server.write(OK)
            await virtual_time.settle()
            assert connection.has_answer_begun
            head = await connection.read_head(timeout_s=1)
            assert (head.status, head.reason) == (200, "OK")
            assert not connection.is_reusable
            assert await read_all(connection) == b"ok"
            assert connection.is_reusable

    converse(conversation)


def test_octet_by_octet() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        reading = asyncio.create_task(connection.read_head(timeout_s=1))
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        for octet in chunked:
            server.write(bytes([octet]))
            await virtual_time.settle(2)
        assert (await reading).status == 200
        assert connection.framing.kind is BodyKind.CHUNKED
        assert await read_all(connection) == b"a"
        assert connection.is_reusable

    converse(conversation)


def test_content_with_its_length() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request("PUT", ("Content-Length", "4")), b"12")
        with pytest.raises(LocalProtocolError, match="2 octets short"):
            await connection.finish()
        with pytest.raises(LocalProtocolError, match="more content"):
            await connection.send(b"345")
        await connection.send(b"34")
        await connection.finish()
        assert (await server.read()).endswith(b"\r\n\r\n1234")

    converse(conversation)


def test_content_in_chunks() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request("PUT", ("Transfer-Encoding", "chunked")), b"12")
        await connection.send(b"")
        await connection.send(b"3")
        server.write(OK)
        await connection.read_head(timeout_s=1)
        assert await read_all(connection) == b"ok"
        assert not connection.is_reusable
        await connection.finish()
        await connection.finish()
        assert connection.is_reusable
        with pytest.raises(LocalProtocolError, match="ended already"):
            await connection.send(b"4")
        await virtual_time.settle()
        assert (await server.read()).endswith(b"\r\n\r\n2\r\n12\r\n1\r\n3\r\n0\r\n\r\n")

    converse(conversation)


@pytest.mark.parametrize(
    ("method", "answer", "content"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, b"ok"),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
def test_answers_after_which_the_connection_persists(
    method: str, answer: bytes, content: bytes
) -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request(method))
        server.write(answer)
        await connection.read_head(timeout_s=1)
        assert await read_all(connection) == content
        assert connection.is_reusable

    converse(conversation)


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (request(), b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        (request(), b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (request("GET", ("Connection", "close")), OK),
        (request(version=(1, 0)), OK),
        (request(), OK + b"surplus"),
    ],
)
def test_answers_after_which_it_does_not(head: RequestHead, answer: bytes) -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(head)
        server.write(answer)
        await connection.read_head(timeout_s=1)
        assert await read_all(connection) == b"ok"
        assert not connection.is_reusable
        with pytest.raises(LocalProtocolError):
            await connection.send_head(request())

    converse(conversation)


def test_content_until_the_connection_ends() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        await server.read()
        server.write(b"HTTP/1.1 200 OK\r\n\r\nall")
        server.close()
        await connection.read_head(timeout_s=1)
        assert await read_all(connection) == b"all"
        assert not connection.is_reusable

    converse(conversation)


@pytest.mark.parametrize("ending", [Stream.close, Stream.abort])
def test_an_idle_connection_that_the_server_ends(ending: Callable[[Stream], None]) -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        ending(server)
        await virtual_time.settle()
        assert not connection.is_reusable

    converse(conversation)


def test_an_idle_connection_on_which_the_server_speaks() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        server.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await virtual_time.settle()
        assert not connection.is_reusable

    converse(conversation)


@pytest.mark.parametrize(
    "cut",
    [
        b"Content-Length: 5\r\n\r\nshor",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nshor\r\n",
    ],
)
def test_content_that_ends_short(cut: bytes) -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        await server.read()
        server.write(b"HTTP/1.1 200 OK\r\n" + cut)
        server.close()
        await connection.read_head(timeout_s=1)
        assert await connection.read() == b"shor"
        with pytest.raises(StreamError, match="ended by the peer while reading response"):
            await connection.read()
        assert not connection.is_reusable

    converse(conversation)


def test_a_reset_in_content_until_the_end() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        server.write(b"HTTP/1.1 200 OK\r\n\r\nshort")
        await virtual_time.settle()
        server.abort()
        await connection.read_head(timeout_s=1)
        assert await connection.read() == b"short"
        with pytest.raises(StreamError, match="reset"):
            await connection.read()

    converse(conversation)


def test_a_connection_that_ends_without_an_answer() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        server.close()
        with pytest.raises(StreamError, match="ended by the peer while reading response head"):
            await connection.read_head(timeout_s=1)
        assert not connection.has_answer_begun

    converse(conversation)


def test_a_silent_server() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        with pytest.raises(StreamError) as caught:
            await connection.read_head(timeout_s=7)
        assert caught.value.is_timeout
        assert asyncio.get_running_loop().time() == 7
        server.write(OK[:-1])
        await connection.read_head(timeout_s=None)
        assert await connection.read() == b"o"
        with pytest.raises(StreamError) as caught:
            await connection.read(timeout_s=3)
        assert caught.value.is_timeout

    converse(conversation)


def test_a_server_that_takes_nothing() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request("PUT", ("Transfer-Encoding", "chunked")))
        with pytest.raises(StreamError, match="while sending request") as caught:
            await send_for_ever(connection)
        assert caught.value.is_timeout
        server.write(OK)
        assert (await connection.read_head(timeout_s=1)).status == 200

    converse(conversation, send_timeout_s=5)


async def send_for_ever(connection: HttpClientConnection) -> None:
    while True:
        await connection.send(bytes(50_000))


def test_an_answer_before_the_server_has_gone_is_found() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request("PUT", ("Transfer-Encoding", "chunked")))
        server.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await virtual_time.settle()
        server.abort()
        with pytest.raises(StreamError):
            await send_for_ever(connection)
        assert (await connection.read_head(timeout_s=1)).status == 413

    converse(conversation)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x15\x03\x01",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * INTERIM_RESPONSES_MAX,
    ],
)
def test_bad_answers(answer: bytes) -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        server.write(answer + b"\r\n")
        with pytest.raises(RemoteProtocolError):
            await connection.read_head(timeout_s=1)
        assert not connection.is_reusable

    converse(conversation)


def test_switch_hands_the_stream_over_with_what_follows_the_head() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request("GET", ("Connection", "Upgrade")))
        with pytest.raises(LocalProtocolError):
            connection.switch()
        server.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\nframes")
        assert (await connection.read_head(timeout_s=1)).status == 101
        assert not connection.is_reusable
        stream = connection.switch()
        assert stream is connection.stream
        assert await stream.read() == b"frames"

    converse(conversation)


def test_no_switch_after_another_answer() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        await connection.send_head(request())
        server.write(OK)
        await connection.read_head(timeout_s=1)
        with pytest.raises(LocalProtocolError):
            connection.switch()

    converse(conversation)


def test_misuse() -> None:
    async def conversation(connection: HttpClientConnection, server: Stream) -> None:
        with pytest.raises(LocalProtocolError):
            await connection.read_head(timeout_s=1)
        with pytest.raises(LocalProtocolError):
            await connection.read()
        with pytest.raises(LocalProtocolError):
            await connection.send_head(request("PUT", ("Content-Length", "many")))
        await connection.send_head(request())
        with pytest.raises(LocalProtocolError):
            await connection.send(b"not declared")
        with pytest.raises(LocalProtocolError):
            await connection.send_head(request())

    converse(conversation)

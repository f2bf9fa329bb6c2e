from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import virtual_time
from kit.memory_stream import memory_pair
from upwire.errors import LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.dial import dial
from upwire.net.http1 import HttpClientConnection, HttpConnection, HttpExchange, HttpTimeouts
from upwire.net.http1.server import DISCARD_OCTETS, LINGER_S
from upwire.net.listener import Listener
from upwire.net.stream import Stream
from upwire.wire.fields import Headers
from upwire.wire.http1 import BodyKind, HeadLimits, RequestHead, ResponseHead

Handler = Callable[[HttpExchange], Awaitable[None]]

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
LAST_GET = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def say_path(exchange: HttpExchange) -> None:
    await exchange.respond(200, body=exchange.head.path.encode())


async def echo(exchange: HttpExchange) -> None:
    await exchange.respond(200, body=await exchange.read_body(100))


def answer(path: bytes, connection: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(path), connection, path)


CLOSE = b"Connection: close\r\n"


class Client:
    """The client's end of a connection in memory, and the task that serves the other end."""

    def __init__(self, handler: Handler, **options: Any) -> None:
        self.stream, far = memory_pair()
        self.connection = HttpConnection(far, **options)
        self.serving = asyncio.create_task(self.connection.serve(handler))

    async def receive_all(self) -> bytes:
        """Everything up to the end, from a client that closes when the server ends."""
        received = b""
        while octets := await self.stream.read():
            received += octets
        self.stream.close()
        await self.serving
        await self.connection.stream.wait_closed()
        return received


def converse(octets: bytes, handler: Handler, **options: Any) -> bytes:
    """Send octets, then nothing, and return all that comes until the server ends."""

    async def main() -> bytes:
        client = Client(handler, **options)
        client.stream.write(octets)
        return await client.receive_all()

    return virtual_time.run(main())


def test_requests_are_answered_in_order() -> None:
    second = GET.replace(b"/a", b"/b?q=1")
    received = converse(GET + second + LAST_GET, say_path)
    assert received == answer(b"/a") + answer(b"/b") + answer(b"/last", CLOSE)


def test_octet_by_octet() -> None:
    async def main() -> bytes:
        client = Client(echo)
        for octet in GET + POST + b"Content-Length: 2\r\n\r\nhi" + LAST_GET:
            client.stream.write(bytes([octet]))
            await virtual_time.settle(2)
        return await client.receive_all()

    received = virtual_time.run(main())
    assert received == answer(b"") + answer(b"hi") + answer(b"", CLOSE)


@pytest.mark.parametrize(
    ("request_head", "connection"),
    [
        (b"GET /a HTTP/1.0\r\n\r\n", CLOSE),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", CLOSE),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", CLOSE),
    ],
)
def test_a_client_that_wants_no_more_is_closed(request_head: bytes, connection: bytes) -> None:
    assert converse(request_head + GET, say_path) == answer(b"/a", connection)


def test_http_1_0_persists_where_it_asks() -> None:
    asking = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    received = converse(asking + b"GET /b HTTP/1.0\r\n\r\n", say_path)
    assert received == answer(b"/a", b"Connection: keep-alive\r\n") + answer(b"/b", CLOSE)


def test_the_last_of_requests_max_says_so() -> None:
    received = converse(GET * 3, say_path, requests_max=2)
    assert received == answer(b"/a") + answer(b"/a", CLOSE)


def test_the_end_between_requests_is_silent() -> None:
    async def main() -> bytes:
        client = Client(say_path)
        client.stream.write(GET)
        client.stream.write_eof()
        return await client.receive_all()

    assert virtual_time.run(main()) == answer(b"/a")


def test_head_has_the_fields_of_get_and_no_content() -> None:
    async def stream_it(exchange: HttpExchange) -> None:
        await exchange.start(ResponseHead(200, "OK"), b"never")
        await exchange.send(b"sent")
        await exchange.finish()

    head = b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
    assert converse(head, say_path, requests_max=1) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    )
    assert converse(head, stream_it, requests_max=1) == (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content(status: int) -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.respond(status, reason="Fine", headers=[("ETag", '"x"')])

    line = f"HTTP/1.1 {status} Fine\r\n".encode()
    assert converse(GET, handler, requests_max=1) == (
        line + b'ETag: "x"\r\nConnection: close\r\n\r\n'
    )


async def two_pieces(exchange: HttpExchange) -> None:
    await exchange.start(ResponseHead(200, "OK"), b"one")
    await exchange.send(b"")
    await exchange.send(b"two")
    await exchange.finish()


def test_unknown_length_is_chunked() -> None:
    assert converse(GET, two_pieces, requests_max=1) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )


WHOLE = ResponseHead(200, "OK", headers=Headers([("Content-Length", "3")]))


def test_a_whole_response_is_sent_without_a_wait() -> None:
    async def handler(exchange: HttpExchange) -> None:
        with pytest.raises(StopIteration):
            exchange.send_whole(WHOLE, b"all").send(None)
        with pytest.raises(LocalProtocolError, match="answered already"):
            await exchange.send_whole(WHOLE, b"all")

    assert converse(GET + LAST_GET, handler) == answer(b"all") + answer(b"all", CLOSE)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"CONNECT", b"OPTIONS"])
@pytest.mark.parametrize(
    "head",
    [
        WHOLE,
        ResponseHead(200, "OK", (1, 0), headers=WHOLE.headers),
        ResponseHead(200, "OK", headers=Headers([("content-length", "03")])),
        ResponseHead(200, "OK", headers=Headers([("Transfer-Encoding", "chunked")])),
        ResponseHead(200, "OK"),
        ResponseHead(204, "No Content", headers=WHOLE.headers),
        ResponseHead(304, "Not Modified", headers=WHOLE.headers),
        ResponseHead(404, "Not Found", headers=Headers([*WHOLE.headers.items(), ("A", "b")])),
    ],
)
def test_a_whole_response_is_framed_as_one_in_pieces(method: bytes, head: ResponseHead) -> None:
    async def whole(exchange: HttpExchange) -> None:
        await exchange.send_whole(head, b"all")

    async def in_pieces(exchange: HttpExchange) -> None:
        await exchange.start(head, b"all")
        await exchange.finish()

    request = method + b" /a:1 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert converse(request, whole) == converse(request, in_pieces)


@pytest.mark.parametrize(
    "head",
    [
        ResponseHead(103, "Early Hints", headers=WHOLE.headers),
        ResponseHead(200, "OK", headers=Headers([("Content-Length", "2")])),
        ResponseHead(
            200, "OK", headers=Headers([("Content-Length", "3"), ("Content-Length", "3")])
        ),
    ],
)
def test_a_whole_response_that_breaks_a_rule(head: ResponseHead) -> None:
    refused = []

    async def handler(exchange: HttpExchange) -> None:
        try:
            await exchange.send_whole(head, b"all")
        except LocalProtocolError as error:
            refused.append(error)
            exchange.stream.abort()

    with pytest.raises(StreamError):
        converse(GET, handler)
    assert refused


@pytest.mark.parametrize("headers", [[], [("Transfer-Encoding", "chunked")]])
def test_unknown_length_to_http_1_0_ends_with_the_connection(
    headers: list[tuple[str, str]],
) -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.start(ResponseHead(200, "OK", headers=Headers(headers)), b"all")
        await exchange.finish()
        assert not exchange.is_persistent

    received = converse(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", handler)
    assert received == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"


def test_a_handler_may_close() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.respond(200, headers=[("Connection", "close")])

    assert converse(GET * 2, handler).count(b"HTTP/1.1 200") == 1


def test_a_handler_may_do_without_chunks() -> None:
    async def handler(exchange: HttpExchange) -> None:
        exchange.may_chunk = False
        await exchange.start(ResponseHead(200, "OK"), b"all")
        await exchange.finish()
        assert not exchange.is_persistent

    assert converse(GET * 2, handler) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"


def test_content_comes_with_its_framing_taken_off() -> None:
    seen: list[object] = []

    async def handler(exchange: HttpExchange) -> None:
        seen.append(exchange.framing.kind)
        content = await exchange.read_body(10)
        assert await exchange.read() == b""
        await exchange.respond(200, body=content)

    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    body = b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
    counted = POST + b"Content-Length: 3\r\n\r\ndef"
    received = converse(chunked + body + counted + LAST_GET, handler)
    assert received == answer(b"abc") + answer(b"def") + answer(b"", CLOSE)
    assert seen == [BodyKind.CHUNKED, BodyKind.LENGTH, BodyKind.NONE]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 11\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nb\r\n"]
)
def test_content_past_the_limit_is_refused(framing: bytes) -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.read_body(10)

    post = POST + framing + b"x" * 11
    received = converse(post, handler)
    assert received.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert received.endswith(b"the content has more than 10 octets (RFC 9110 \xc2\xa715.5.14).\n")


def test_broken_chunks_are_refused_by_the_handler_that_reads_them() -> None:
    post = POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert converse(post, echo).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert converse(post + GET, say_path) == answer(b"/")


EXPECTING = POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_client_that_expects_it_gets_100_once() -> None:
    async def main() -> bytes:
        client = Client(echo, requests_max=1)
        client.stream.write(EXPECTING)
        assert await client.stream.read() == CONTINUE
        client.stream.write(b"h")
        await virtual_time.settle()
        client.stream.write(b"i")
        return await client.receive_all()

    assert virtual_time.run(main()) == answer(b"hi", CLOSE)


def test_no_100_where_the_content_is_there_already() -> None:
    assert converse(EXPECTING + b"hi", echo, requests_max=1) == answer(b"hi", CLOSE)


def test_no_100_for_http_1_0() -> None:
    old = EXPECTING.replace(b"1.1", b"1.0")
    assert converse(old + b"hi", echo) == answer(b"hi", CLOSE)


def test_an_answer_in_place_of_100_closes() -> None:
    assert converse(EXPECTING, say_path) == answer(b"/", CLOSE)


def test_an_answer_before_the_content_is_read() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.start(ResponseHead(200, "OK", headers=Headers([("Content-Length", "2")])))
        await exchange.send(await exchange.read())
        await exchange.finish()

    assert converse(EXPECTING + b"hi", handler) == answer(b"hi", CLOSE)


def test_interim_responses() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.inform(103, [("Link", "</style.css>")])
        for status in (101, 200):
            with pytest.raises(LocalProtocolError):
                await exchange.inform(status)
        await exchange.respond(200)
        with pytest.raises(LocalProtocolError):
            await exchange.inform(103)

    assert converse(GET, handler, requests_max=1) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + answer(b"", CLOSE)
    )
    assert converse(b"GET / HTTP/1.0\r\n\r\n", handler) == answer(b"", CLOSE)


def test_content_that_nobody_read_is_discarded() -> None:
    post = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"
    assert converse(post + LAST_GET, say_path) == answer(b"/a") + answer(b"/last", CLOSE)


def test_too_much_content_that_nobody_read_closes() -> None:
    size = 3 * DISCARD_OCTETS
    post = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    assert converse(post + bytes(size) + GET, say_path) == answer(b"/a")


@pytest.mark.parametrize(
    ("octets", "status", "text"),
    [
        (b"GET\r\n\r\n", 400, b"is no request line"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, b"send exactly one Host field"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, b"use HTTP/1.1"),
        (b"GET /" + b"a" * 9000, 414, b"longer than 8192 octets"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000, 431, b"longer than 8192 octets"),
        (
            POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            b"both Transfer-Encoding and Content-Length",
        ),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, b"is unknown"),
    ],
)
def test_bad_heads_are_answered_and_closed(octets: bytes, status: int, text: bytes) -> None:
    received = converse(GET + octets, say_path)
    assert received.startswith(answer(b"/a") + f"HTTP/1.1 {status} ".encode())
    head, _, body = received.removeprefix(answer(b"/a")).partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert text in body
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1


def test_error_responses_are_the_callers_to_choose() -> None:
    def respond(error: RemoteProtocolError, head: RequestHead | None) -> tuple[ResponseHead, bytes]:
        path = head.path if head else "?"
        headers = Headers([("Connection", "Upgrade"), *error.headers])
        return ResponseHead(error.status, "No", headers=headers), path.encode()

    async def handler(exchange: HttpExchange) -> None:
        raise RemoteProtocolError("no", status=426, headers=[("Upgrade", "websocket")])

    assert converse(GET, handler, error_response=respond) == (
        b"HTTP/1.1 426 No\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Content-Length: 2\r\n\r\n/a"
    )
    assert converse(b"\x16\x03", handler, error_response=respond).endswith(b"\r\n\r\n?")
    head = GET.replace(b"GET", b"HEAD")
    assert converse(head, handler, error_response=respond).endswith(b"Length: 2\r\n\r\n")


def test_an_error_answer_reaches_a_client_that_goes_on_sending() -> None:
    async def main() -> None:
        client = Client(say_path)
        client.stream.write(b"BAD\r\n\r\n")
        assert (await client.stream.read()).startswith(b"HTTP/1.1 400 ")
        assert await client.stream.read() == b""
        for _ in range(50):
            client.stream.write(bytes(10_000))
            await client.stream.drain(timeout_s=1)
        client.stream.close()
        await client.serving
        assert asyncio.get_running_loop().time() < LINGER_S

    virtual_time.run(main())


def test_lingering_has_an_end() -> None:
    async def main() -> float:
        client = Client(say_path)
        client.stream.write(b"BAD\r\n\r\n")
        await client.serving
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == LINGER_S


def test_lingering_without_half_close() -> None:
    async def main() -> float:
        near, far = memory_pair(can_half_close=False)
        serving = asyncio.create_task(HttpConnection(far).serve(say_path))
        near.write(b"BAD\r\n\r\n")
        assert (await near.read()).startswith(b"HTTP/1.1 400 ")
        near.close()
        await serving
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == 0


TIMEOUTS = HttpTimeouts(head_s=10, idle_s=20, body_s=30, send_s=40)


@pytest.mark.parametrize(
    ("octets", "received", "end_s"),
    [
        (b"", b"", 10),
        (GET, answer(b""), 20),
        (GET + b"GET ", b"HTTP/1.1 408 Request Timeout", 10),
        (b"GET / HTTP/1.1\r\nHost:", b"the request's head did not come within 10 s", 10),
        (
            POST + b"Content-Length: 9\r\n\r\n",
            b"no content came for 30 s",
            30,
        ),
    ],
)
def test_a_silent_client(octets: bytes, received: bytes, end_s: float) -> None:
    async def main() -> None:
        client = Client(echo, timeouts=TIMEOUTS)
        client.stream.write(octets)
        assert received in await client.receive_all()
        assert asyncio.get_running_loop().time() == end_s

    virtual_time.run(main())


def test_the_handler_may_give_the_time_for_content() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.read(timeout_s=3)

    assert b"no content came for 3 s" in converse(POST + b"Content-Length: 9\r\n\r\n", handler)


def test_the_deadline_of_a_head_is_for_all_of_it() -> None:
    async def main() -> None:
        client = Client(echo, timeouts=TIMEOUTS)
        loop = asyncio.get_running_loop()
        for at_s in range(1, 10):
            loop.call_later(at_s, client.stream.write, b"G")
        assert (await client.receive_all()).startswith(b"HTTP/1.1 408 ")
        assert loop.time() == 11  # 10 s from the first octet

    virtual_time.run(main())


def test_a_client_that_takes_nothing() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.start(ResponseHead(200, "OK"))
        while True:
            await exchange.send(bytes(100_000))

    async def main() -> None:
        client = Client(handler, timeouts=TIMEOUTS)
        client.stream.push_to(Deaf())
        client.stream.pause()
        client.stream.write(GET)
        await client.serving
        assert asyncio.get_running_loop().time() == 40
        assert client.connection.stream.is_closed

    virtual_time.run(main())


def test_a_client_that_takes_nothing_of_a_whole_response() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.respond(200, body=bytes(1_000_000))

    async def main() -> None:
        client = Client(handler, timeouts=TIMEOUTS)
        client.stream.push_to(Deaf())
        client.stream.pause()
        client.stream.write(GET)
        await client.serving
        assert asyncio.get_running_loop().time() == 40

    virtual_time.run(main())


class Deaf:
    def octets_received(self, octets: bytes) -> None:
        raise AssertionError(octets)

    def eof_received(self) -> None:
        raise AssertionError

    def stream_lost(self, error: StreamError | None) -> None:
        raise AssertionError(error)


def test_a_client_that_leaves_in_the_middle_of_its_content() -> None:
    async def handler(exchange: HttpExchange) -> None:
        with pytest.raises(StreamError, match="ended by the peer while reading request"):
            await exchange.read_body(100)
        await exchange.respond(400)

    async def main() -> bytes:
        client = Client(handler)
        client.stream.write(POST + b"Content-Length: 9\r\n\r\nshort")
        client.stream.write_eof()
        return await client.receive_all()

    assert virtual_time.run(main()).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_in_the_middle_of_its_head() -> None:
    async def main() -> bytes:
        client = Client(say_path)
        client.stream.write(GET[:-2])
        client.stream.write_eof()
        return await client.receive_all()

    assert virtual_time.run(main()) == b""


def test_switch_hands_the_stream_over_with_what_follows_the_head() -> None:
    async def handler(exchange: HttpExchange) -> None:
        with pytest.raises(LocalProtocolError):
            await exchange.switch(ResponseHead(200, "OK"))
        with pytest.raises(LocalProtocolError):
            await exchange.start(ResponseHead(101, "Switching Protocols"))
        stream = await exchange.switch(ResponseHead(101, "Switching Protocols"))
        with pytest.raises(LocalProtocolError):
            await exchange.respond(200)
        assert stream is exchange.stream
        assert await stream.read() == b"frames"
        stream.write(b"answer")
        switched.append(stream)

    async def main() -> bytes:
        client = Client(handler)
        client.stream.write(GET + b"frames")
        await client.serving
        assert not switched[0].is_closed
        switched[0].close()
        return await client.receive_all()

    switched: list[Stream] = []
    received = virtual_time.run(main())
    assert received == b"HTTP/1.1 101 Switching Protocols\r\n\r\nanswer"


def test_no_switch_while_content_is_unread() -> None:
    async def handler(exchange: HttpExchange) -> None:
        with pytest.raises(LocalProtocolError, match="content"):
            await exchange.switch(ResponseHead(101, "Switching Protocols"))
        await exchange.respond(400)

    assert converse(EXPECTING, handler).startswith(b"HTTP/1.1 400 ")


async def fail(exchange: HttpExchange) -> None:
    raise ZeroDivisionError


async def forget(exchange: HttpExchange) -> None:
    return


@pytest.mark.parametrize("handler", [fail, forget])
def test_a_handler_that_fails_is_answered_with_500(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    received = converse(GET + GET, handler)
    assert received.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert received.count(b"HTTP/1.1") == 1
    assert caplog.messages == ["GET /a failed"]


async def stop_half_way(exchange: HttpExchange) -> None:
    await exchange.start(ResponseHead(200, "OK"), b"half")


async def fall_short(exchange: HttpExchange) -> None:
    await exchange.start(ResponseHead(200, "OK", headers=Headers([("Content-Length", "5")])))
    await exchange.send(b"half")
    await exchange.finish()


async def say_too_much(exchange: HttpExchange) -> None:
    await exchange.start(ResponseHead(200, "OK", headers=Headers([("Content-Length", "3")])))
    await exchange.send(b"half")


async def lose_the_upstream(exchange: HttpExchange) -> None:
    await exchange.start(ResponseHead(200, "OK"), b"half")
    raise StreamError("upstream lost")


async def switch_and_fail(exchange: HttpExchange) -> None:
    await exchange.switch(ResponseHead(101, "Switching Protocols"))
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "handler", [stop_half_way, fall_short, say_too_much, lose_the_upstream, switch_and_fail]
)
def test_a_response_that_is_cut_is_seen_to_be_cut(handler: Handler) -> None:
    async def main() -> None:
        client = Client(handler)
        client.stream.write(GET)
        with pytest.raises(StreamError, match="reset"):
            await client.receive_all()
        await client.serving

    virtual_time.run(main())


def test_an_exchange_knows_whether_the_client_has_cut_it() -> None:
    async def main() -> None:
        seen: list[bool] = []

        async def read_all(exchange: HttpExchange) -> None:
            seen.append(exchange.is_cut)
            try:
                await exchange.read_body(10)
            finally:
                seen.append(exchange.is_cut)
            await exchange.respond(200)

        for content, expected in ((b"ab", [False, False]), (b"a", [False, True])):
            seen.clear()
            client = Client(read_all)
            client.stream.write(POST + b"Content-Length: 2\r\n\r\n")
            await virtual_time.settle()
            client.stream.write(content)
            client.stream.write_eof()
            with contextlib.suppress(StreamError):
                await client.receive_all()
            await client.serving
            assert seen == expected
            client.stream.close()
            await client.connection.stream.wait_closed()

    virtual_time.run(main())


def test_an_exchange_of_a_connection_that_is_gone_is_cut() -> None:
    async def main() -> None:
        seen: list[bool] = []

        async def wait_for_loss(exchange: HttpExchange) -> None:
            await exchange.stream.wait_closed()
            seen.append(exchange.is_cut)

        client = Client(wait_for_loss)
        client.stream.write(GET)
        await virtual_time.settle()
        client.stream.abort()
        await client.serving
        assert seen == [True]

    virtual_time.run(main())


async def fail_late(exchange: HttpExchange) -> None:
    await exchange.respond(200)
    raise ZeroDivisionError


async def lose_late(exchange: HttpExchange) -> None:
    await exchange.respond(200)
    raise StreamError("something else was lost")


def test_a_handler_that_fails_after_its_response(caplog: pytest.LogCaptureFixture) -> None:
    assert converse(GET + LAST_GET, fail_late) == answer(b"") + answer(b"", CLOSE)
    assert len(caplog.messages) == 2
    assert converse(GET + LAST_GET, lose_late) == answer(b"")


def test_misuse_by_the_handler() -> None:
    async def handler(exchange: HttpExchange) -> None:
        with pytest.raises(LocalProtocolError, match="head comes first"):
            await exchange.send(b"early")
        with pytest.raises(LocalProtocolError, match="head comes first"):
            await exchange.finish()
        bad = Headers([("Content-Length", "many")])
        with pytest.raises(LocalProtocolError, match="is not one number"):
            await exchange.start(ResponseHead(200, "OK", headers=bad))
        with pytest.raises(LocalProtocolError, match="both"):
            await exchange.respond(200, headers=[("Transfer-Encoding", "chunked")])
        await exchange.respond(200)
        await exchange.finish()
        with pytest.raises(LocalProtocolError, match="answered already"):
            await exchange.respond(200)
        with pytest.raises(LocalProtocolError, match="answered already"):
            await exchange.start(ResponseHead(200, "OK"))
        with pytest.raises(LocalProtocolError):
            await exchange.send(b"late")

    assert converse(GET, handler, requests_max=1) == answer(b"", CLOSE)


def test_connect_has_no_content_where_it_succeeds() -> None:
    async def handler(exchange: HttpExchange) -> None:
        await exchange.respond(200, headers=[("Connection", "close")])

    request = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
    expected = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert converse(request, handler) == expected


def test_drain_ends_an_idle_connection_at_once() -> None:
    async def main() -> bytes:
        client = Client(say_path)
        client.stream.write(GET)
        await virtual_time.settle()
        client.connection.drain()
        assert client.connection.is_draining
        return await client.receive_all()

    assert virtual_time.run(main()) == answer(b"/a")


def test_drain_lets_the_current_request_end() -> None:
    async def before(exchange: HttpExchange) -> None:
        exchange.connection.drain()
        await exchange.respond(200)

    async def after(exchange: HttpExchange) -> None:
        await exchange.respond(200)
        exchange.connection.drain()

    assert converse(GET + GET, before) == answer(b"", CLOSE)
    assert converse(GET + GET, after) == answer(b"")


def test_limits_are_the_callers() -> None:
    received = converse(GET, say_path, limits=HeadLimits(field_count=0))
    assert received.startswith(b"HTTP/1.1 431 ")


def test_a_slow_reader_holds_the_handler() -> None:
    sent = 0

    async def handler(exchange: HttpExchange) -> None:
        nonlocal sent
        await exchange.start(ResponseHead(200, "OK"))
        for _ in range(100):
            await exchange.send(bytes(50_000))
            sent += 50_000
        await exchange.finish()

    async def main() -> None:
        client = Client(handler, requests_max=1)
        client.stream.write(GET)
        await virtual_time.settle(200)
        assert 0 < sent < 500_000
        received = await client.receive_all()
        assert sent == 5_000_000 < len(received)

    virtual_time.run(main())


@pytest.mark.parametrize(("version", "connections"), [((1, 0), 4), ((1, 1), 1)])
def test_four_images(version: tuple[int, int], connections: int) -> None:
    """HTTP/1.0 takes a connection for each, HTTP/1.1 one for all."""
    accepted = 0

    async def on_stream(stream: Stream) -> None:
        nonlocal accepted
        accepted += 1
        await HttpConnection(stream).serve(say_path)

    async def main() -> list[bytes]:
        images = []
        async with Listener(on_stream) as listener:
            listener.bind("127.0.0.1", 0)
            address = listener.addresses[0]
            assert isinstance(address, tuple)
            connection: HttpClientConnection | None = None
            for name in ("a", "b", "c", "d"):
                if connection is None or not connection.is_reusable:
                    if connection is not None:
                        connection.stream.close()
                    stream = await dial(*address, timeout_s=5)
                    connection = HttpClientConnection(stream)
                request = RequestHead("GET", f"/{name}.png", version, Headers([("Host", "x")]))
                await connection.send_head(request)
                await connection.read_head(timeout_s=5)
                images.append(await connection.read(timeout_s=5))
                assert await connection.read(timeout_s=5) == b""
            assert connection is not None
            connection.stream.close()
            await connection.stream.wait_closed()
        return images

    images = asyncio.run(main())
    assert images == [b"/a.png", b"/b.png", b"/c.png", b"/d.png"]
    assert accepted == connections


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [GET, POST, EXPECTING, b"Content-Length: 3\r\n\r\n", b"\r\n", b"3\r\n"]
            ),
        ),
        max_size=6,
    )
)
def test_whatever_comes_the_connection_ends_in_peace(pieces: list[bytes]) -> None:
    async def main() -> None:
        client = Client(echo)
        for piece in pieces:
            client.stream.write(piece)
            await virtual_time.settle(3)
        await client.receive_all()
        assert client.serving.exception() is None

    virtual_time.run(main())


def test_silence_is_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert converse(b"", say_path) == b""
    assert caplog.messages == []

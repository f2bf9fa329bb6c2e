"""Fuzzes heads and contents of HTTP/1.1 messages."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from functools import partial

from driver import check_splits, run

from upwire.wire.http1 import (
    BodyDecoder,
    Framing,
    HeadLimits,
    RequestHeadParser,
    ResponseHeadParser,
    parse_request_head,
    parse_response_head,
    request_framing,
    response_framing,
    serialize_request,
    serialize_response,
)

LIMITS = (
    HeadLimits(),
    HeadLimits(line_octets=40, head_octets=120, field_count=3),
    HeadLimits(accepts_loose_lines=True, drops_other_names=True, drops_underscores=True),
)
GENEROUS = HeadLimits(line_octets=2**20, head_octets=2**21, field_count=2**16)
CORPUS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET http://a/b?c HTTP/1.0\nX_Y: z\n\nrest",
    b"POST /x?y HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\nrest",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    b"HTTP/1.0 200 \r\n\r\nuntil close",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
)


def read_request(pieces: Iterable[bytes], limits: HeadLimits) -> object:
    """A request head, which must survive being written again, and its content."""
    parser = RequestHeadParser(limits)
    rest = iter(pieces)
    buffer = bytearray()
    for piece in rest:
        buffer += piece
        parsed = parser.parse(buffer)
        if parsed is not None:
            head, consumed = parsed
            again = parse_request_head(serialize_request(head), GENEROUS)
            assert again is not None
            assert again[0] == head
            framing = request_framing(head)
            return head, read_content(framing, bytes(buffer[consumed:]), rest, limits)
    return None


def read_response(pieces: Iterable[bytes], limits: HeadLimits) -> object:
    """A response head, which must survive being written again, and its content."""
    parser = ResponseHeadParser(limits)
    rest = iter(pieces)
    buffer = bytearray()
    for piece in rest:
        buffer += piece
        parsed = parser.parse(buffer)
        if parsed is not None:
            head, consumed = parsed
            again = parse_response_head(serialize_response(head), GENEROUS)
            assert again is not None
            assert again[0] == head
            framing = response_framing(head, "GET")
            return head, read_content(framing, bytes(buffer[consumed:]), rest, limits)
    return None


def read_content(
    framing: Framing, first: bytes, pieces: Iterator[bytes], limits: HeadLimits
) -> object:
    """A content, whether it is complete, its trailers, and the octets past it."""
    decoder = BodyDecoder(framing, limits)
    content = b"".join(part for piece in (first, *pieces) for part in decoder.feed(piece))
    return content, decoder.is_complete, decoder.trailers, decoder.take_rest()


def verdicts_do_not_depend_on_splits(octets: bytes, rng: random.Random) -> None:
    """No octets raise anything but RemoteProtocolError, however they are split."""
    for limits in LIMITS:
        check_splits(partial(read_request, limits=limits), octets, rng)
        check_splits(partial(read_response, limits=limits), octets, rng)


if __name__ == "__main__":
    sys.exit(run(verdicts_do_not_depend_on_splits, CORPUS))

"""Fuzzes the opening handshake, each side fed by heads that came over the wire."""

from __future__ import annotations

import random
import sys

from driver import run, verdict

from upwire.errors import RemoteProtocolError
from upwire.wire.deflate import DeflateOptions
from upwire.wire.handshake import (
    ServerPolicy,
    build_request,
    check_request,
    check_response,
    is_switch_right,
    refusal,
)
from upwire.wire.http1 import (
    RequestHead,
    ResponseHead,
    parse_request_head,
    parse_response_head,
    serialize_request,
    serialize_response,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SUBPROTOCOLS = ("chat", "superchat")
DEFLATE = DeflateOptions()
POLICY = ServerPolicy(
    origins=("https://example.com", None), subprotocols=SUBPROTOCOLS, deflate=DEFLATE
)
REQUEST = build_request(
    "example.com",
    "/chat",
    KEY,
    subprotocols=SUBPROTOCOLS,
    deflate=DEFLATE,
    origin="https://example.com",
)
RESPONSE = check_request(REQUEST, POLICY).response()
CORPUS = (
    serialize_request(REQUEST),
    b"GET / HTTP/1.0\r\nConnection: close\r\nSec-WebSocket-Key: " + KEY.encode() + b"\r\n\r\n",
    serialize_response(RESPONSE),
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: /chat/\r\n\r\n",
)


def heads_are_accepted_or_refused(octets: bytes, rng: random.Random) -> None:
    """Any request is accepted, with an answer that its client takes, or refused with a status."""
    verdict(lambda _: serve(octets), ())
    verdict(lambda _: connect(octets), ())


def serve(octets: bytes) -> None:
    """Answer the octets as a server; what it accepts must be right to an intermediary too."""
    parsed = parse_request_head(octets)
    if parsed is None:
        return
    request: RequestHead = parsed[0]
    try:
        response = check_request(request, POLICY).response()
    except RemoteProtocolError as error:
        head, body = refusal(error)
        assert 400 <= head.status < 500 or head.status == 501
        assert body.count(b"\n") == 1
        serialize_response(head)
    else:
        assert is_switch_right(request, response)


def connect(octets: bytes) -> None:
    """Take the octets as the answer to REQUEST; what is accepted must be right to a proxy too."""
    parsed = parse_response_head(octets)
    if parsed is None:
        return
    response: ResponseHead = parsed[0]
    check_response(response, KEY, SUBPROTOCOLS, DEFLATE)
    assert is_switch_right(REQUEST, response)


if __name__ == "__main__":
    sys.exit(run(heads_are_accepted_or_refused, CORPUS))

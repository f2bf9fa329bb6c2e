"""`upwire probe --echo-backend`: a server that tells the prober what arrived at it.

A right handshake opens, as RFC 6455 §4.2 asks; the received head is its first message, and what
comes is sent back. Anything else gets the received head as the content of its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator

from upwire.errors import RemoteProtocolError, StreamError
from upwire.net.http1 import HttpConnection, HttpExchange
from upwire.net.listener import Listener
from upwire.net.stream import Stream
from upwire.probe.received import Received, encode
from upwire.wire.deflate import DeflateOptions, PerMessageDeflate
from upwire.wire.fields import Headers
from upwire.wire.handshake import (
    Accepted,
    ServerPolicy,
    check_request,
    explain_refusal,
    is_upgrade_request,
)
from upwire.wire.http1 import HeadLimits, RequestHead, ResponseHead, reason_phrase
from upwire.wire.websocket import Connection, Message, Role, State

ANSWER_FIELD = "Upwire-Probe-Answer"
"""Asks for so many octets more in the head of the answer."""
PADDING_FIELD = "Upwire-Probe-Padding"
OWN_FIELDS = frozenset(
    ("content-type", "content-length", "connection", "date", "server", PADDING_FIELD.lower())
)
"""What this backend, or any gateway of itself, puts into an answer."""

_ANSWER_OCTETS_MAX = 16384
_IDLE_TIMEOUT_S = 3600.0
_MESSAGE_OCTETS_MAX = 1 << 20
_LIMITS = HeadLimits(line_octets=65536, head_octets=131072)
_POLICY = ServerPolicy(select_subprotocol=lambda offered: offered[0], deflate=DeflateOptions())


@contextlib.asynccontextmanager
async def echo_backend(host: str, port: int) -> AsyncIterator[int]:
    """Run the backend while the block lasts; gives its port, which may be asked for by 0.

    Raises ConfigError where the address cannot be had.
    """
    numbers = itertools.count(1)

    async def serve(stream: Stream) -> None:
        number = next(numbers)

        async def handle(exchange: HttpExchange) -> None:
            await _answer(exchange, number)

        connection = HttpConnection(stream, limits=_LIMITS, error_response=_refuse_unread)
        await connection.serve(handle)

    listener = Listener(serve)
    listener.bind(host, port)
    async with listener:
        address = listener.addresses[0]
        yield int(address[1])


async def serve_until_cancelled(host: str, port: int) -> None:
    """Run the backend, and say where."""
    async with echo_backend(host, port) as bound:
        print(f"echo backend on {host}:{bound}; Ctrl-C ends it", flush=True)
        await asyncio.get_running_loop().create_future()


async def _answer(exchange: HttpExchange, number: int) -> None:
    told = encode(Received(exchange.head, number))
    fields = Headers(_padding(exchange.head))
    try:
        accepted = check_request(exchange.head, _POLICY)
    except RemoteProtocolError as error:
        status = error.status if _is_handshake(exchange.head) else 200
        for name, value in (*error.headers, ("Content-Type", "application/json")):
            fields.add(name, value)
        await exchange.respond(status, headers=fields, body=told.encode())
        return
    stream = await exchange.switch(accepted.response(fields.items()))
    await _converse(stream, accepted, told)


def _is_handshake(head: RequestHead) -> bool:
    return is_upgrade_request(head) or "Sec-WebSocket-Key" in head.headers


def _padding(head: RequestHead) -> list[tuple[str, str]]:
    wanted = head.headers.get(ANSWER_FIELD) or ""
    if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 6):
        return []
    return [(PADDING_FIELD, "x" * min(int(wanted), _ANSWER_OCTETS_MAX))]


def _refuse_unread(
    error: RemoteProtocolError, head: RequestHead | None
) -> tuple[ResponseHead, bytes]:
    """Answer what is no request to be told of, such as one with two Hosts."""
    body = f"{explain_refusal(error)}\n".encode()
    fields = Headers((("Content-Type", "text/plain"), ("Content-Length", str(len(body)))))
    return ResponseHead(error.status, reason_phrase(error.status), (1, 1), fields), body


async def _converse(stream: Stream, accepted: Accepted, greeting: str) -> None:
    deflate = accepted.deflate
    connection = Connection(
        Role.SERVER,
        random_octets=secrets.token_bytes,
        max_message_octets=_MESSAGE_OCTETS_MAX,
        deflate=None if deflate is None else PerMessageDeflate(deflate, is_client=False),
    )
    connection.send_message(greeting)
    try:
        while True:
            stream.write(connection.take_output())
            await stream.drain(timeout_s=_IDLE_TIMEOUT_S)
            if connection.state is State.CLOSED or stream.is_eof:
                return
            connection.feed(await stream.read(timeout_s=_IDLE_TIMEOUT_S))
            _echo(connection)
    except StreamError:
        return
    finally:
        stream.close()


def _echo(connection: Connection) -> None:
    with contextlib.suppress(RemoteProtocolError):  # the Close that tells why is queued
        while (event := connection.next_event()) is not None:
            if isinstance(event, Message) and connection.state is State.OPEN:
                connection.send_message(event.data)

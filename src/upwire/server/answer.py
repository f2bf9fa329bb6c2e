"""How answers to plain requests, and refusals of handshakes, are sent."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from upwire.errors import RemoteProtocolError
from upwire.net.http1 import HttpExchange
from upwire.server.response import Response
from upwire.wire.handshake import refusal
from upwire.wire.http1 import RequestHead, ResponseHead, reason_phrase


def date() -> str:
    """Return the value of Date, which a server with a clock sends. RFC 9110 §6.6.1."""
    return _date_of_second(int(time.time()))


@lru_cache(maxsize=1)
def _date_of_second(second: int) -> str:
    return formatdate(second, usegmt=True)


async def send(exchange: HttpExchange, response: Response) -> None:
    """Send a whole answer; of a HEAD, all but the content.

    Raises TypeError for what is no Response: handlers are the application's, and may be untyped.
    """
    if not isinstance(response, Response):
        raise TypeError(f"a handler returns a Response, not {response!r:.80}")
    headers = response.headers.copy()
    if "Date" not in headers:
        headers.add("Date", date())
    if isinstance(response.body, bytes):
        await exchange.respond(response.status, headers=headers, body=response.body)
        return
    head = ResponseHead(response.status, reason_phrase(response.status), headers=headers)
    await exchange.start(head)
    if exchange.head.method != "HEAD":
        async for piece in response.body:
            await exchange.send(piece)
    await exchange.finish()


async def refuse(exchange: HttpExchange, error: RemoteProtocolError) -> None:
    """Answer what was understood, and is refused; the connection persists."""
    head, body = error_response(error, exchange.head)
    await exchange.respond(head.status, headers=head.headers, body=body)


def error_response(
    error: RemoteProtocolError, head: RequestHead | None
) -> tuple[ResponseHead, bytes]:
    """Return the answer that says in one line what is wrong and how to mend it."""
    response, body = refusal(error)
    response.headers.add("Date", date())
    return response, body

"""An upstream's answer on its way to the client: its fields, its content, or what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from upwire.errors import RemoteProtocolError, StreamError
from upwire.net.http1 import HttpClientConnection
from upwire.net.stream import WRITE_HIGH_OCTETS, Stream
from upwire.proxy import accel, failure
from upwire.proxy.client_watch import ClientWatch
from upwire.proxy.error_log import describe_error
from upwire.proxy.failure import TryFailed
from upwire.proxy.headers import downstream_fields
from upwire.proxy.modules.write_filter import read_octets
from upwire.proxy.output import OutputHead
from upwire.proxy.request import Handled, Outcome, Request, UpstreamTry
from upwire.proxy.response import absolute_location, finish, flush, send, send_head
from upwire.proxy.special_response import has_error_page
from upwire.proxy.spool import Read, Spool, SpooledRelay
from upwire.proxy.target import parse_unsafe_uri
from upwire.wire.fields import Headers
from upwire.wire.http1 import ResponseHead


@dataclass(slots=True)
class Answer:
    """What an upstream answers; its head was read. release() gives the peer back, once."""

    http: HttpClientConnection
    head: ResponseHead
    attempt: UpstreamTry
    release: Callable[[], None]


async def pass_on(request: Request, answer: Answer) -> Handled:
    """Let the client have an answer, or do what it or `proxy_intercept_errors` says instead."""
    proxy, head = request.settings.proxy, answer.head
    if proxy.intercept_errors and has_error_page(request, head.status):
        challenges = head.headers.get_all("WWW-Authenticate")
        request.added_fields += [("WWW-Authenticate", value) for value in challenges]
        answer.release()
        return head.status
    rate = accel.limit_rate_of(head, proxy)
    if rate is not None:
        request.main.limit_rate = rate
    target = accel.redirect_of(head, proxy)
    if target is not None:
        answer.release()
        return _redirect(request, head, target)
    fields = downstream_fields(head, proxy, request.lookup, partial(absolute_location, request))
    output = OutputHead(head.status, fields, reason=head.reason, allows_ranges=proxy.force_ranges)
    output.allows_one_range = True
    await send_head(request, output, is_held=answer.http.has_octets)
    if request.reply.has_content:
        try:
            await _pass_content(request, answer)
        except TryFailed:
            await flush(request)  # the client shall see what was cut
            raise
    await finish(request)
    answer.release()
    return Outcome.DONE


def _redirect(request: Request, head: ResponseHead, target: str) -> Handled:
    """Answer from another path or named location: `X-Accel-Redirect`."""
    kept = downstream_fields(
        ResponseHead(head.status, head.reason, headers=Headers(accel.kept_fields(head))),
        request.settings.proxy,
        request.lookup,
        partial(absolute_location, request),
    )
    request.added_fields += kept
    if target.startswith("@"):
        return request.enter_named(target[1:])
    try:
        uri, args = parse_unsafe_uri(target)
    except RemoteProtocolError:
        request.log("error", f'unsafe URI "{target}" was detected')
        return 404
    if request.method != "HEAD":
        request.method = "GET"
    return request.redirect_internally(uri, args)


async def _pass_content(request: Request, answer: Answer) -> None:
    """Read the content, and send it; buffered, the upstream does not wait for a slow client.

    Raises TryFailed where the upstream fails, StreamError or ClientGone where the client does.
    """
    proxy = request.settings.proxy
    is_buffered = accel.is_buffered(answer.head, proxy)
    is_paced = bool(is_buffered and request.main.limit_rate)  # the filter for that watches then
    is_watched = request.main is request and not proxy.ignore_client_abort and not is_paced
    client = request.http.stream if is_watched and request.http is not None else None
    read: Read = partial(_read, answer, proxy.read_timeout_s, client)
    if is_buffered and (rate := read_octets(proxy.limit_rate, request)):
        read = PacedReader(read, rate, answer.http).read
    while octets := await read():
        if not is_buffered:
            await send(request, octets)
            await flush(request)
        elif left := await _send_ready(request, octets):
            await _relay(request, partial(_read_and_release, read, answer), left)
            break


async def _relay(request: Request, read: Read, first: bytes) -> None:
    """Send first and the rest of the content, as `proxy_buffers` and a temporary file let it wait.

    Raises TryFailed where the file cannot be written too.
    """
    proxy = request.settings.proxy
    spool = Spool(proxy.buffers.count * proxy.buffers.octets, proxy.max_temp_file_octets)
    try:
        await SpooledRelay(read, partial(send, request), spool).run(first)
    except OSError as error:
        reason = f"write() of a temporary file failed {describe_error(error)}"
        raise TryFailed("error", reason, failure.READING_BODY) from error


async def _send_ready(request: Request, octets: bytes) -> bytes:
    """Send what the client's connection takes without a wait, and return what it does not."""
    http = request.main.http
    if request.main.limit_rate:
        return octets
    while octets:
        piece = octets[:WRITE_HIGH_OCTETS]
        if http and http.stream.write_buffer_octets + len(piece) > WRITE_HIGH_OCTETS:
            break
        await request.output.send(piece)
        octets = octets[len(piece) :]
    return octets


async def _read_and_release(read: Read, answer: Answer) -> bytes:
    """Read on; at the end give the peer back, though the client may be far behind."""
    octets = await read()
    if not octets:
        answer.release()
    return octets


async def _read(answer: Answer, timeout_s: float, client: Stream | None) -> bytes:
    """Return the next octets of the content, and count them; ClientGone where client ends first."""
    attempt, http = answer.attempt, answer.http
    try:
        if client is None or http.has_octets or http.is_content_complete:
            octets = await http.read(timeout_s=timeout_s)
        else:
            with ClientWatch(client):
                octets = await http.read(timeout_s=timeout_s)
    except StreamError as error:
        raise failure.not_read(error, failure.READING_BODY) from error
    except RemoteProtocolError as error:
        reason = f"upstream sent invalid chunked response: {error.message}"
        raise TryFailed("error", reason, failure.READING_BODY) from error
    finally:
        attempt.received_octets = http.received_octets
    attempt.response_octets += len(octets)
    return octets


class PacedReader:
    """Reads no faster than so many octets a second."""

    __slots__ = ("_http", "_left", "_not_before_s", "_octets_a_second", "_read")

    def __init__(self, read: Read, octets_a_second: int, http: HttpClientConnection) -> None:
        self._read = read
        self._octets_a_second = octets_a_second
        self._http = http
        self._left = b""
        self._not_before_s = 0.0

    async def read(self) -> bytes:
        """Return at most what one second allows, b"" at the end."""
        if not self._left and self._http.is_content_complete:
            return b""
        now_s = asyncio.get_running_loop().time
        await asyncio.sleep(max(self._not_before_s - now_s(), 0))
        octets = self._left or await self._read()
        piece, self._left = octets[: self._octets_a_second], octets[self._octets_a_second :]
        self._not_before_s = now_s() + len(piece) / self._octets_a_second
        return piece

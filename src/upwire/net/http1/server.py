# cython: annotation_typing=False
"""`HttpConnection`: requests in and responses out, over one Stream. RFC 9112.

The connection runs one handler after the other, each with the `HttpExchange` of its request.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from upwire.errors import LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.http1.message import ContentWriter, MessageReader
from upwire.net.stream import TURNS_TO_READ, Stream
from upwire.wire.fields import Headers, has_token
from upwire.wire.handshake import refusal
from upwire.wire.http1 import (
    CHUNKED,
    DEFAULT_LIMITS,
    NO_CONTENT,
    BodyKind,
    Framing,
    HeadLimits,
    RequestHead,
    RequestHeadParser,
    ResponseHead,
    reason_phrase,
    request_framing,
    response_framing,
    serialize_response,
    wants_keep_alive,
)

LINGER_S = 5.0
"""How long to go on taking what a client sends after our last response (RFC 9112 §9.6)."""

DISCARD_OCTETS = 64 * 1024
"""Content that no handler has read and that is still taken, so that the connection persists."""

_ALL_SENT = Framing(BodyKind.LENGTH, 0)

ErrorResponse = Callable[[RemoteProtocolError, RequestHead | None], tuple[ResponseHead, bytes]]
"""Answers a request that broke a rule; the head is None where there is none to speak of."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpTimeouts:
    """How long to wait for a client, in seconds.

    head_s: for a whole head from its first octet, and for the first octet of a connection.
    idle_s: for the next request. body_s: between two reads of content. send_s: while the client
    takes nothing of a response.
    """

    head_s: float = 60.0
    idle_s: float = 75.0
    body_s: float = 60.0
    send_s: float = 60.0


DEFAULT_TIMEOUTS = HttpTimeouts()


def error_response(
    error: RemoteProtocolError, head: RequestHead | None
) -> tuple[ResponseHead, bytes]:
    """Say in one line of text what is wrong and how to mend it, to whatever request."""
    return refusal(error)


class HttpExchange:
    """One request and its response; a handler gets it, and answers before it returns."""

    def __init__(self, connection: HttpConnection, head: RequestHead, framing: Framing) -> None:
        self.connection = connection
        self.head = head
        self.framing = framing
        """How the content of the request is framed."""
        self.response: ResponseHead | None = None
        """The head that was sent, with the fields that the connection added."""
        self.client_persists = wants_keep_alive(head.version, head.headers)
        """Whether the client lets the connection persist."""
        self.is_persistent = True
        """Whether the client was told that another request may follow."""
        self.may_chunk = head.version >= (1, 1)
        """Whether content of unknown length may be chunked; else the connection ends it."""
        self._reader = connection._reader
        self._writer: ContentWriter | None = None
        self._wants_continue = (  # RFC 9110 §10.1.1
            not self._reader.is_content_complete
            and head.version >= (1, 1)
            and has_token(head.headers, "Expect", "100-continue")
        )

    @property
    def stream(self) -> Stream:
        """The connection's Stream, to look at."""
        return self.connection.stream

    @property
    def is_answered(self) -> bool:
        """Whether the response is complete, or the protocol was switched."""
        return self._writer is not None and self._writer.is_complete

    @property
    def is_cut(self) -> bool:
        """Whether the client is gone, or has ended inside the content of its request."""
        is_short = self.stream.is_eof and not self._reader.is_content_complete
        return self.stream.is_closed or is_short

    @property
    def is_content_complete(self) -> bool:
        """Whether the request's content has been read to its end."""
        return self._reader.is_content_complete

    @property
    def has_content_waiting(self) -> bool:
        """Whether content has come that was not read."""
        return self._reader.has_octets and not self._reader.is_content_complete

    async def read(self, *, timeout_s: float | None = None) -> bytes:
        """Return the next octets of the request's content, b"" at its end.

        A client that waits for 100 (Continue) gets it first. Raises RemoteProtocolError for a bad
        coding and, with 408, for silence longer than timeout_s, body_s if not given; StreamError
        where the content is cut short.
        """
        if self._wants_continue and self._writer is None:
            self._wants_continue = False
            if not self._reader.has_octets:
                await self.inform(100)
        if timeout_s is None:
            timeout_s = self.connection.timeouts.body_s
        try:
            return await self._reader.read_content(timeout_s=timeout_s, doing="reading request")
        except StreamError as error:
            if not error.is_timeout:
                raise
            message = f"no content came for {timeout_s:g} s"
            raise RemoteProtocolError(message, "RFC 9110 §15.5.9", status=408) from error

    async def read_body(self, limit_octets: int) -> bytes:
        """Return the whole content. Raises RemoteProtocolError with 413 past the limit."""
        error = RemoteProtocolError(
            f"the content has more than {limit_octets} octets", "RFC 9110 §15.5.14", status=413
        )
        if (self.framing.length or 0) > limit_octets:
            raise error
        content = bytearray()
        while octets := await self.read():
            content += octets
            if len(content) > limit_octets:
                raise error
        return bytes(content)

    async def respond(
        self,
        status: int,
        *,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        reason: str | None = None,
    ) -> None:
        """Send a whole response. Content-Length is added, save where a status has no content."""
        fields = Headers(headers)
        if status not in (204, 304):
            fields.set("Content-Length", str(len(body)))
        reason = reason_phrase(status) if reason is None else reason
        head = ResponseHead(status, reason, (1, 1), fields)
        if "Transfer-Encoding" in fields or self.head.method == "CONNECT" or status < 200:
            await self.start(head, body)
            await self.finish()
        else:
            has_content = self.head.method != "HEAD" and status not in (204, 304)
            await self._send_whole(head, _ALL_SENT if has_content else NO_CONTENT, body)

    async def send_whole(self, head: ResponseHead, body: bytes) -> None:
        """Send a response's head, framed as start() has it, with all of its content.

        The usual response, of which Content-Length is right, is one write and no wait.
        """
        if self._declares(head, body):
            await self._send_whole(head, _ALL_SENT, body)
        else:
            await self.start(head, body)
            await self.finish()

    def _declares(self, head: ResponseHead, body: bytes) -> bool:
        """Whether the head declares exactly this body as the content that the client gets."""
        return (
            head.headers.get_all("Content-Length") == [str(len(body))]
            and "Transfer-Encoding" not in head.headers
            and self.head.method not in ("HEAD", "CONNECT")
            and head.status >= 200
            and head.status not in (204, 304)
            and head.version == (1, 1)
        )

    async def _send_whole(self, head: ResponseHead, framing: Framing, body: bytes) -> None:
        """Send a response whose head says how long its body is; framing is what is left."""
        if self._writer is not None:
            raise LocalProtocolError("the request is answered already")
        changes = self._persistence(head.headers, framing)
        self.response = _with_fields(head, changes) if changes else head
        octets = serialize_response(self.response)
        self._writer = self._make_writer(framing)
        self.stream.write(octets + body if framing is _ALL_SENT else octets)
        if not self.stream.is_drained:
            await self._writer.drain()

    async def start(self, head: ResponseHead, octets: bytes = b"") -> None:
        """Send a response's head, and with it the first octets of its content.

        Content-Length frames the content if it is there; otherwise it is chunked, and for
        HTTP/1.0 ended by the connection. Connection gets what this connection demands.
        """
        if self._writer is not None:
            raise LocalProtocolError("the request is answered already")
        if head.status < 200:
            raise LocalProtocolError("inform() and switch() send interim responses")
        sent, framing = self._frame(head)
        self._writer = self._make_writer(framing)
        self.response = sent
        if framing.kind is BodyKind.NONE:
            octets = b""
        await self._writer.send(octets, head=serialize_response(sent))

    async def send(self, octets: bytes) -> None:
        """Send octets of the response's content; waits while the client takes too little.

        Where the response has none, to HEAD for one, they are dropped.
        """
        writer = self._started_writer()
        if writer.framing.kind is not BodyKind.NONE:
            await writer.send(octets)

    async def finish(self, trailers: Headers | None = None) -> None:
        """End the response; a chunked content may have trailers behind it.

        Raises LocalProtocolError where the head declared more content.
        """
        await self._started_writer().finish(trailers)

    async def inform(self, status: int, headers: Headers | Iterable[tuple[str, str]] = ()) -> None:
        """Send an interim response, such as 103; an HTTP/1.0 client gets none (§15.2)."""
        if self._writer is not None or not 100 <= status < 200 or status == 101:
            raise LocalProtocolError(f"no place for an interim response {status}")
        if self.head.version >= (1, 1):
            head = ResponseHead(status, reason_phrase(status), headers=Headers(headers))
            await self._make_writer(NO_CONTENT).send(b"", head=serialize_response(head))

    async def switch(self, head: ResponseHead) -> Stream:
        """Send the 101 and hand the Stream over, with what the client sent behind its request.

        The connection does nothing more then. Raises LocalProtocolError while content is unread.
        """
        if self._writer is not None or head.status != 101:
            raise LocalProtocolError("only an unanswered request can be answered with 101")
        if not self._reader.is_content_complete:
            raise LocalProtocolError("the content of the request comes before another protocol")
        self._writer = self._make_writer(NO_CONTENT)
        self.response = head
        await self._writer.send(b"", head=serialize_response(head))
        self.connection._state = _State.SWITCHED
        return self._reader.give_back()

    def _started_writer(self) -> ContentWriter:
        if self._writer is None:
            raise LocalProtocolError("the response's head comes first")
        return self._writer

    def _make_writer(self, framing: Framing) -> ContentWriter:
        send_s = self.connection.timeouts.send_s
        return ContentWriter(self.stream, framing, timeout_s=send_s, doing="sending response")

    def _frame(self, head: ResponseHead) -> tuple[ResponseHead, Framing]:
        """Add the fields that frame the content and say whether the connection persists."""
        changes: dict[str, str | None] = {}
        sent = head
        if not self.may_chunk and "Transfer-Encoding" in head.headers:
            sent = _with_fields(head, {"Transfer-Encoding": None})  # RFC 9112 §6.1
        try:
            framing = response_framing(sent, self.head.method)
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from error
        if framing.kind is BodyKind.UNTIL_CLOSE and self.may_chunk:
            changes["Transfer-Encoding"] = "chunked"
            framing = CHUNKED
        changes |= self._persistence(sent.headers, framing)
        if changes or sent.version != (1, 1):  # RFC 9110 §6.2: ours, whatever the client's
            sent = _with_fields(sent, changes)
        return sent, framing

    def _persistence(self, headers: Headers, framing: Framing) -> dict[str, str]:
        """Note whether another request may follow, and return the field that says so."""
        if not self._may_persist(headers, framing):
            self.is_persistent = False
            return {"Connection": _with_close(headers)}
        return {} if self.head.version >= (1, 1) else {"Connection": "keep-alive"}

    def _may_persist(self, headers: Headers, framing: Framing) -> bool:
        """Whether another request may follow. RFC 9112 §9.3.

        Not where the client still waits for a 100: it may send the content or leave it out.
        """
        return (
            self.connection.takes_more_requests
            and self.client_persists
            and not has_token(headers, "Connection", "close")
            and framing.kind is not BodyKind.UNTIL_CLOSE
            and not self._wants_continue
        )


class HttpConnection:
    """One connection of a client: reads requests, in order, and runs a handler on each.

    requests_max: how many requests it serves before it closes. error_response makes the answer
    to a request that broke a rule, whether the connection or the handler found that.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        limits: HeadLimits = DEFAULT_LIMITS,
        timeouts: HttpTimeouts = DEFAULT_TIMEOUTS,
        requests_max: int = 1000,
        error_response: ErrorResponse = error_response,
    ) -> None:
        self.stream = stream
        self.timeouts = timeouts
        self.requests = 0
        """How many requests have come, this one included."""
        self._limits = limits
        self._requests_max = requests_max
        self._error_response = error_response
        self._reader = MessageReader(stream, limits)
        self._state = _State.IDLE
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Whether the response to the current request is the last."""
        return self._is_draining

    @property
    def takes_more_requests(self) -> bool:
        """Whether another request may follow the current one."""
        return not self._is_draining and self.requests < self._requests_max

    @property
    def is_waiting(self) -> bool:
        """Whether nothing of a request is there, that is being answered or is yet to be read."""
        return self._state is _State.IDLE and not self._reader.has_octets

    def drain(self, *, spares_idle: bool = False) -> None:
        """End after the current request; where there is none, as soon as what came is read.

        spares_idle: then after the next one, which may be on its way.
        """
        self._is_draining = True
        if not spares_idle:
            self._end_idle(TURNS_TO_READ)

    def _end_idle(self, turns: int) -> None:
        """Close, unless a request comes within some turns of the loop.

        The system may have received one: closing over it would reset the connection.
        """
        if self.is_waiting and turns:
            asyncio.get_running_loop().call_soon(self._end_idle, turns - 1)
        elif self.is_waiting:
            self.stream.close()

    async def serve(self, handler: Callable[[HttpExchange], Awaitable[None]]) -> None:
        """Serve requests until either side ends; then close the stream, unless it was switched.

        A handler that raises RemoteProtocolError has it answered with its status; any other
        exception is logged and answered with 500.
        """
        try:
            while await self._serve_next(handler):
                self._state = _State.IDLE
        except StreamError as error:
            _logger.debug("connection of %s: %s", self.stream.peer_address, error)
        finally:
            if self._state is not _State.SWITCHED:
                self.stream.close()

    async def _serve_next(self, handler: Callable[[HttpExchange], Awaitable[None]]) -> bool:
        """Serve one request; return whether another may follow."""
        head: RequestHead | None = None
        try:
            head = await self._read_head()
            if head is None:
                return False
            framing = request_framing(head)
        except RemoteProtocolError as error:
            await self._refuse(error, head)
            return False
        self._reader.begin_content(framing)
        exchange = HttpExchange(self, head, framing)
        if not await self._run(handler, exchange) or self._state is _State.SWITCHED:
            return False
        if (
            exchange.is_persistent
            and not self._is_draining
            and (self._reader.is_content_complete or await self._discard_content())
        ):
            return True
        if not self._reader.is_content_complete or self._reader.has_octets:
            await self._linger()  # otherwise nothing is there that a close could reset
        return False

    async def _read_head(self) -> RequestHead | None:
        """Return the next request's head; None where the client ends instead.

        A client that is silent before its first octet gets no answer: it may be a browser that
        connects ahead of need, and would take a 408 for the answer to its next request.
        """
        wait_s = self.timeouts.idle_s if self.requests else self.timeouts.head_s
        if not await self._reader.wait_octets(timeout_s=wait_s, doing="waiting for a request"):
            return None
        self._state = _State.BUSY
        self.requests += 1
        timeout_s = self.timeouts.head_s
        try:
            return await self._reader.read_head(
                RequestHeadParser(self._limits), timeout_s=timeout_s, doing="reading request head"
            )
        except StreamError as error:
            if not error.is_timeout:
                raise
            message = f"the request's head did not come within {timeout_s:g} s"
            raise RemoteProtocolError(message, "RFC 9110 §15.5.9", status=408) from error

    async def _run(
        self, handler: Callable[[HttpExchange], Awaitable[None]], exchange: HttpExchange
    ) -> bool:
        """Run the handler; return whether the response is complete. Otherwise answer, or cut."""
        try:
            await handler(exchange)
            if not exchange.is_answered:
                raise LocalProtocolError("the handler has returned before its response's end")
            return True
        except RemoteProtocolError as error:
            failure = error
        except StreamError:
            if not exchange.is_answered:
                self.stream.abort()
            raise
        except Exception:
            _logger.exception("%s %s failed", exchange.head.method, exchange.head.target)
            failure = RemoteProtocolError("the server has failed", "RFC 9110 §15.6.1", status=500)
        if exchange.response is None:
            await self._refuse(failure, exchange.head)
        elif exchange.is_answered and self._state is not _State.SWITCHED:
            return True  # the client has all that it was promised
        else:
            self.stream.abort()  # the client has to see that the content is cut
        return False

    async def _refuse(self, error: RemoteProtocolError, head: RequestHead | None) -> None:
        """Answer for a request that broke a rule, and end: what follows cannot be trusted."""
        response, body = self._error_response(error, head)
        changes = {"Content-Length": str(len(body)), "Connection": _with_close(response.headers)}
        octets = serialize_response(_with_fields(response, changes))
        if head is None or head.method != "HEAD":
            octets += body
        self.stream.write(octets)
        await self._linger()

    async def _discard_content(self) -> bool:
        """Take content that no handler has read; return whether its end came soon enough."""
        left_octets = DISCARD_OCTETS
        try:
            while octets := await self._reader.read_content(
                timeout_s=self.timeouts.body_s, doing="discarding request"
            ):
                left_octets -= len(octets)
                if left_octets < 0:
                    return False
        except RemoteProtocolError:
            return False
        return True

    async def _linger(self) -> None:
        """End our direction, and take what the client still sends, for LINGER_S.

        Closing over octets that were not read would reset the connection, and the client could
        lose the response. RFC 9112 §9.6.
        """
        if self.stream.can_write_eof:
            self.stream.write_eof()
        try:
            async with asyncio.timeout(LINGER_S):
                while await self.stream.read():
                    pass
        except TimeoutError:
            return


class _State(enum.Enum):
    """Whose turn it is."""

    IDLE = enum.auto()  # the client's: no octet of the next request was seen
    BUSY = enum.auto()  # a request is being read or answered
    SWITCHED = enum.auto()  # another protocol's: the stream is the handler's


def _with_fields(head: ResponseHead, changes: Mapping[str, str | None]) -> ResponseHead:
    """The head with these fields in the place of its own; without those that are None."""
    headers = head.headers.copy()
    for name, value in changes.items():
        if value is None:
            headers.remove(name)
        else:
            headers.set(name, value)
    return ResponseHead(head.status, head.reason, headers=headers)


def _with_close(headers: Headers) -> str:
    """Connection with close in it, beside what it lists: 426 has Upgrade there."""
    listed = headers.combined("Connection")
    if listed is None or has_token(headers, "Connection", "close"):
        return listed or "close"
    return f"{listed}, close"

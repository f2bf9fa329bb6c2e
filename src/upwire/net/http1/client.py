"""`HttpClientConnection`: requests out and responses in, over one Stream. RFC 9112."""

from __future__ import annotations

from upwire.errors import LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.http1.message import ContentWriter, MessageReader
from upwire.net.stream import Stream
from upwire.wire.http1 import (
    DEFAULT_LIMITS,
    NO_CONTENT,
    BodyKind,
    HeadLimits,
    RequestHead,
    ResponseHead,
    ResponseHeadParser,
    request_framing,
    response_framing,
    serialize_request,
    wants_keep_alive,
)

SWITCHING_PROTOCOLS = 101

INTERIM_RESPONSES_MAX = 32
"""How many interim responses may come before one final; each could take a whole deadline."""

SEND_TIMEOUT_S = 60.0
"""How long the server may take nothing of a request, where the caller gives no other time."""


class HttpClientConnection:
    """One connection to a server: a request and its response, and then the next if it persists.

    The request may still be on its way while the response is read. Whoever made it closes the
    stream, unless `switch()` has handed it over.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        limits: HeadLimits = DEFAULT_LIMITS,
        send_timeout_s: float | None = SEND_TIMEOUT_S,
    ) -> None:
        self.stream = stream
        self._limits = limits
        self._send_timeout_s = send_timeout_s
        self._reader = MessageReader(stream, limits)
        self._request: RequestHead | None = None
        self._response: ResponseHead | None = None
        self._may_persist = False  # as far as the two heads say
        self._writer = ContentWriter(stream, NO_CONTENT, timeout_s=None, doing="")
        self._octets_before = 0
        self.framing = NO_CONTENT
        """How the content of the response is framed, once its head was read."""

    @property
    def has_answer_begun(self) -> bool:
        """Whether any octet of an answer to the last request has come.

        Where none has, the server may not have seen the request: an idempotent one may be sent
        again on another connection (RFC 9110 §9.2.2).
        """
        return self._reader.octets_read > self._octets_before or self.stream.unread_octets > 0

    @property
    def received_octets(self) -> int:
        """How many octets have come since the last request was sent, heads and framing included."""
        return self._reader.octets_read - self._octets_before

    @property
    def has_octets(self) -> bool:
        """Whether octets have come past what was taken."""
        return self._reader.has_octets

    @property
    def is_content_complete(self) -> bool:
        """Whether the content of the response has been read to its end."""
        return self._response is not None and self._reader.is_content_complete

    @property
    def is_reusable(self) -> bool:
        """Whether the next request may be sent here: all is complete, and both sides persist."""
        if self.stream.is_closed or self.stream.is_eof or self._reader.has_octets:
            return False
        if self._request is None:
            return True
        return (
            self._response is not None
            and self._writer.is_complete
            and self._reader.is_content_complete
            and self._response.status != SWITCHING_PROTOCOLS
            and self._may_persist
        )

    async def send_head(self, head: RequestHead, octets: bytes = b"") -> None:
        """Send a request's head, and with it the first octets of its content.

        Its fields say how the content is framed: Content-Length, Transfer-Encoding, or none.
        Raises LocalProtocolError where they contradict each other, or the last exchange goes on.
        """
        if not self.is_reusable:
            raise LocalProtocolError("this connection cannot take another request")
        try:
            framing = request_framing(head)
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from error
        self._request, self._response = head, None
        self._octets_before = self._reader.octets_read
        self._writer = ContentWriter(
            self.stream, framing, timeout_s=self._send_timeout_s, doing="sending request"
        )
        await self._writer.send(octets, head=serialize_request(head))

    async def send(self, octets: bytes) -> None:
        """Send octets of the request's content; waits while the server takes too little.

        After a StreamError here, `read_head()` may still find an answer that came before the end.
        """
        await self._writer.send(octets)

    async def finish(self) -> None:
        """End the request's content. LocalProtocolError where the head declared more."""
        await self._writer.finish()

    async def read_head(self, *, timeout_s: float | None) -> ResponseHead:
        """Return the final response's head, or a 101; other interim responses are skipped.

        Each head has to come within timeout_s. Raises RemoteProtocolError for a bad one,
        StreamError where the connection ends or is silent.
        """
        if self._request is None or self._response is not None:
            raise LocalProtocolError("no request waits for an answer")
        for _ in range(INTERIM_RESPONSES_MAX):
            parser = ResponseHeadParser(self._limits)
            head = await self._reader.read_head(
                parser, timeout_s=timeout_s, doing="reading response head"
            )
            if head.status >= 200 or head.status == SWITCHING_PROTOCOLS:
                self.framing = response_framing(head, self._request.method)
                self._reader.begin_content(self.framing)
                self._response = head
                self._may_persist = (
                    self.framing.kind is not BodyKind.UNTIL_CLOSE
                    and wants_keep_alive(self._request.version, self._request.headers)
                    and wants_keep_alive(head.version, head.headers)
                )
                return head
        raise RemoteProtocolError("no end of interim responses", "RFC 9110 §15.2")

    async def read(self, *, timeout_s: float | None = None) -> bytes:
        """Return the next octets of the response's content, b"" at its end.

        Raises StreamError where it is cut short or nothing comes within timeout_s, and
        RemoteProtocolError for a broken chunked coding. Where only the connection's end ends it,
        an end that TLS does not vouch for is a cut (RFC 9112 §9.8).
        """
        if self._response is None:
            raise LocalProtocolError("the response's head comes first")
        doing = "reading response"
        octets = await self._reader.read_content(timeout_s=timeout_s, doing=doing)
        is_end = not octets and self.framing.kind is BodyKind.UNTIL_CLOSE
        if is_end and self.stream.is_truncated:
            raise StreamError("connection was ended without a closure alert", doing=doing)
        return octets

    def switch(self) -> Stream:
        """Hand the Stream over after a 101, with what the server sent behind its head.

        Raises LocalProtocolError after any other answer.
        """
        if self._response is None or self._response.status != SWITCHING_PROTOCOLS:
            raise LocalProtocolError("the server has not switched protocols")
        return self._reader.give_back()

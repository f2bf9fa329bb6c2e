# cython: annotation_typing=False
"""Messages over a Stream, as both sides need them: heads and contents taken off, contents sent."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

from upwire.errors import LocalProtocolError, StreamError
from upwire.net.stream import Stream
from upwire.net.waiting import timed_out
from upwire.wire.fields import Headers
from upwire.wire.http1 import (
    LAST_CHUNK,
    BodyDecoder,
    BodyKind,
    Framing,
    HeadLimits,
    encode_chunk,
    encode_last_chunk,
)

Head_co = TypeVar("Head_co", covariant=True)


class HeadParser(Protocol[Head_co]):
    """A parser of one head, of a request or of a response."""

    def parse(self, buffer: bytes | bytearray) -> tuple[Head_co, int] | None:
        """Return the head and its octets, or None where more are needed."""


class MessageReader:
    """Takes one message after the other off a Stream; what is read past one begins the next."""

    __slots__ = ("_buffer", "_decoder", "_ends_with_stream", "_limits", "_stream", "octets_read")

    def __init__(self, stream: Stream, limits: HeadLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._buffer = b""  # read, and neither part of a parsed head nor decoded
        self._decoder: BodyDecoder | None = None  # None where no content is left to read
        self._ends_with_stream = False
        self.octets_read = 0

    @property
    def has_octets(self) -> bool:
        """Whether octets have come past what was taken."""
        return bool(self._buffer) or self._stream.unread_octets > 0

    @property
    def is_content_complete(self) -> bool:
        """Whether the content of the last head has been read to its end."""
        return self._decoder is None or self._decoder.is_complete

    async def wait_octets(self, *, timeout_s: float | None, doing: str) -> bool:
        """Wait for the first octet of the next message; False where the peer ends instead."""
        if not self._buffer:
            self._buffer = await self._read(timeout_s, doing)
        return bool(self._buffer)

    async def read_head(
        self, parser: HeadParser[Head_co], *, timeout_s: float | None, doing: str
    ) -> Head_co:
        """Return the next head, which has to be complete within timeout_s.

        Raises RemoteProtocolError for a bad head, StreamError where the stream ends inside it.
        """
        deadline = None
        while (parsed := parser.parse(self._buffer)) is None:
            now = asyncio.get_running_loop().time()
            if timeout_s is not None and deadline is None:
                deadline = now + timeout_s
            left_s = None if deadline is None else max(deadline - now, 0)
            try:
                more = await self._read(left_s, doing)
            except StreamError as error:
                if timeout_s is not None and error.is_timeout:
                    raise timed_out(timeout_s, doing) from None  # not what was left of it
                raise
            if not more:
                raise StreamError("connection was ended by the peer", doing=doing)
            self._buffer += more
        head, octets = parsed
        self._buffer = self._buffer[octets:]
        return head

    def begin_content(self, framing: Framing) -> None:
        """Note how the content behind the head just read is framed."""
        is_none = framing.kind is BodyKind.NONE
        self._decoder = None if is_none else BodyDecoder(framing, self._limits)
        self._ends_with_stream = framing.kind is BodyKind.UNTIL_CLOSE

    async def read_content(self, *, timeout_s: float | None, doing: str) -> bytes:
        """Return the next octets of the content, b"" at its end.

        Raises RemoteProtocolError for a bad coding, StreamError where the content is cut.
        """
        decoder = self._decoder
        while decoder is not None and not decoder.is_complete:
            octets, self._buffer = self._buffer, b""
            if not octets:
                octets = await self._read(timeout_s, doing)
            contents = decoder.feed(octets) if octets else self._end_content(decoder, doing)
            self._buffer += decoder.take_rest()
            if contents:
                return contents[0] if len(contents) == 1 else b"".join(contents)
        return b""

    def give_back(self) -> Stream:
        """Put what was read past the message back into the Stream, and return it."""
        self._stream.unread(self._buffer)
        self._buffer = b""
        return self._stream

    async def _read(self, timeout_s: float | None, doing: str) -> bytes:
        octets = await self._stream.read(timeout_s=timeout_s, doing=doing)
        self.octets_read += len(octets)
        return octets

    def _end_content(self, decoder: BodyDecoder, doing: str) -> list[bytes]:
        if not self._ends_with_stream:
            raise StreamError("connection was ended by the peer", doing=doing)
        decoder.feed_eof()
        return []


class ContentWriter:
    """Sends one content by its framing, and holds it to a declared length."""

    __slots__ = ("_doing", "_is_ended", "_left_octets", "_stream", "_timeout_s", "framing")

    def __init__(
        self, stream: Stream, framing: Framing, *, timeout_s: float | None, doing: str
    ) -> None:
        self._stream = stream
        self._doing = doing
        self._timeout_s = timeout_s
        self._left_octets = framing.length or 0
        self._is_ended = False
        self.framing = framing

    @property
    def is_complete(self) -> bool:
        """Whether all content was sent, its end included."""
        if self.framing.kind in (BodyKind.CHUNKED, BodyKind.UNTIL_CLOSE):
            return self._is_ended
        return not self._left_octets

    async def send(self, octets: bytes, *, head: bytes = b"") -> None:
        """Send octets of the content, in one write with the head before them if that is given.

        Waits while the peer takes too little. Raises LocalProtocolError for more content than the
        head declares, StreamError where the connection is lost.
        """
        if self._is_ended:
            raise LocalProtocolError("the content has ended already")
        if self.framing.kind is BodyKind.CHUNKED:
            octets = encode_chunk(octets)
        elif self.framing.kind is not BodyKind.UNTIL_CLOSE:
            if len(octets) > self._left_octets:
                raise LocalProtocolError("more content than the head declares")
            self._left_octets -= len(octets)
        if self.framing.kind is not BodyKind.CHUNKED and (octets or self.is_complete):
            self._stream.write(head + octets)
        elif head or octets:
            self._stream.write_soon(head + octets)  # the last chunk may be at hand
        if not self._stream.is_drained:
            await self.drain()

    async def finish(self, trailers: Headers | None = None) -> None:
        """End the content, if it is chunked with trailers behind it.

        Raises LocalProtocolError for less of it than the head declares.
        """
        if self._left_octets:
            raise LocalProtocolError(f"content ends {self._left_octets} octets short")
        if self.framing.kind is BodyKind.CHUNKED and not self._is_ended:
            self._stream.write(encode_last_chunk(trailers) if trailers else LAST_CHUNK)
        self._is_ended = True
        if not self._stream.is_drained:
            await self.drain()

    async def drain(self) -> None:
        """Wait until the peer has taken enough. StreamError where the connection is lost."""
        await self._stream.drain(timeout_s=self._timeout_s, doing=self._doing)

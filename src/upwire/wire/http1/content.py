# cython: annotation_typing=False
"""The content behind a head: how it is framed, and the chunked coding both ways.

RFC 9112 §6, §7, and §9.3 for whether another message follows it.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from upwire.errors import RemoteProtocolError
from upwire.wire.fields import Headers, tokens
from upwire.wire.http1._head_lines import parse_field_line
from upwire.wire.http1.heads import (
    RequestHead,
    ResponseHead,
    Version,
)
from upwire.wire.http1.limits import DEFAULT_LIMITS, HeadLimits

LAST_CHUNK = b"0\r\n\r\n"

_CHUNK_LINE_OCTETS = 1024  # a size and its extensions; those in use are signatures of about 100
_CHUNK_END_OCTETS = 2
# Spaces behind a bare size too: some servers pad it, and nginx takes them (RFC 9112 §7.1.1 has
# them before an extension only).
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r]*)?")
_LENGTH_DIGITS = 18


class BodyKind(enum.Enum):
    """How the end of a content is found. RFC 9112 §6.3."""

    NONE = enum.auto()
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    UNTIL_CLOSE = enum.auto()


@dataclass(frozen=True, slots=True)
class Framing:
    """How a content is framed; length in octets, for BodyKind.LENGTH only."""

    kind: BodyKind
    length: int | None = None


NO_CONTENT = Framing(BodyKind.NONE)
CHUNKED = Framing(BodyKind.CHUNKED)
UNTIL_CLOSE = Framing(BodyKind.UNTIL_CLOSE)


class _State(enum.Enum):
    """What the decoder reads next."""

    COUNTED = enum.auto()  # Content-Length octets
    UNTIL_CLOSE = enum.auto()
    CHUNK_LINE = enum.auto()  # size and extensions
    CHUNK_DATA = enum.auto()
    CHUNK_END = enum.auto()  # the CR LF behind the data
    TRAILERS = enum.auto()
    COMPLETE = enum.auto()


class _Input(enum.Enum):
    """What the decoder met."""

    LAST_OCTET = enum.auto()  # of the length, or of the chunk
    CHUNK = enum.auto()
    LAST_CHUNK = enum.auto()
    EMPTY_LINE = enum.auto()
    END_OF_STREAM = enum.auto()


_TRANSITIONS = {  # a pair that is absent is an error
    (_State.COUNTED, _Input.LAST_OCTET): _State.COMPLETE,
    (_State.UNTIL_CLOSE, _Input.END_OF_STREAM): _State.COMPLETE,
    (_State.CHUNK_LINE, _Input.CHUNK): _State.CHUNK_DATA,
    (_State.CHUNK_LINE, _Input.LAST_CHUNK): _State.TRAILERS,
    (_State.CHUNK_DATA, _Input.LAST_OCTET): _State.CHUNK_END,
    (_State.CHUNK_END, _Input.EMPTY_LINE): _State.CHUNK_LINE,
    (_State.TRAILERS, _Input.EMPTY_LINE): _State.COMPLETE,
    (_State.COMPLETE, _Input.END_OF_STREAM): _State.COMPLETE,
}
_FIRST_STATES = {
    BodyKind.NONE: _State.COMPLETE,
    BodyKind.LENGTH: _State.COUNTED,
    BodyKind.CHUNKED: _State.CHUNK_LINE,
    BodyKind.UNTIL_CLOSE: _State.UNTIL_CLOSE,
}


class BodyDecoder:
    """Takes the octets behind a head and gives the content without its framing.

    Holds back no content, only a line of the chunked coding that is incomplete.
    """

    __slots__ = ("_limits", "_line", "_remaining", "_rest", "_state", "_trailer_octets", "trailers")

    def __init__(self, framing: Framing, limits: HeadLimits = DEFAULT_LIMITS) -> None:
        self.trailers = Headers()
        self._limits = limits
        self._line = bytearray()
        self._remaining = framing.length or 0  # octets to come, of the length or of the chunk
        self._rest = b""
        self._trailer_octets = 0
        is_empty = framing.kind is BodyKind.LENGTH and not framing.length
        self._state = _State.COMPLETE if is_empty else _FIRST_STATES[framing.kind]

    @property
    def is_complete(self) -> bool:
        """Whether the content, with its trailers, has ended."""
        return self._state is _State.COMPLETE

    def feed(self, octets: bytes) -> list[bytes]:
        """Return the pieces of content among these octets; take_rest() has those past its end.

        Raises RemoteProtocolError where the chunked coding breaks RFC 9112 §7.1.
        """
        contents: list[bytes] = []
        at = 0
        while at < len(octets) and self._state is not _State.COMPLETE:
            if self._state is _State.UNTIL_CLOSE:
                contents.append(octets[at:])
                at = len(octets)
            elif self._state in (_State.COUNTED, _State.CHUNK_DATA):
                contents.append(octets[at : at + self._remaining])
                at += len(contents[-1])
                self._count(len(contents[-1]))
            else:
                at = self._take_line(octets, at)
        self._rest += octets[at:]
        return contents

    def feed_eof(self) -> None:
        """Note that the connection has ended; some contents end with it.

        Raises RemoteProtocolError where the content is cut. RFC 9112 §8.
        """
        if (self._state, _Input.END_OF_STREAM) not in _TRANSITIONS:
            raise RemoteProtocolError("the connection ended inside the content", "RFC 9112 §8")
        self._move(_Input.END_OF_STREAM)

    def take_rest(self) -> bytes:
        """Return the octets that were fed past the end of the content, once."""
        rest, self._rest = self._rest, b""
        return rest

    def _move(self, step: _Input) -> None:
        self._state = _TRANSITIONS[self._state, step]

    def _count(self, octets: int) -> None:
        """Note octets of content whose number was declared."""
        self._remaining -= octets
        if not self._remaining:
            self._move(_Input.LAST_OCTET)

    def _take_line(self, octets: bytes, at: int) -> int:
        """Take a line of the chunked coding, or what is here of it; return where to go on."""
        end = octets.find(b"\n", at) + 1 or len(octets)
        self._line += octets[at:end]
        is_complete = self._line.endswith(b"\n")
        limit = self._line_limit()
        if len(self._line) + (not is_complete) > limit:
            raise _bad_chunk(f"a line of it has more than {limit} octets")
        if is_complete:
            # Even where heads may have bare LFs: here two readers part over them (§7.1).
            if not self._line.endswith(b"\r\n"):
                raise _bad_chunk("a line of it ends in LF without CR")
            line = bytes(self._line[:-2])
            self._line.clear()
            self._read_line(line)
        return end

    def _line_limit(self) -> int:
        """Octets that the line being read may have, with its CR LF."""
        if self._state is _State.CHUNK_LINE:
            return _CHUNK_LINE_OCTETS
        if self._state is _State.CHUNK_END:
            return _CHUNK_END_OCTETS
        return min(self._limits.line_octets, self._limits.head_octets - self._trailer_octets)

    def _read_line(self, line: bytes) -> None:
        """Act on a complete line, given without its CR LF."""
        if self._state is _State.CHUNK_LINE:
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise _bad_chunk(f"{line[:32]!r} is no chunk size")
            self._remaining = int(match[1], 16)
            self._move(_Input.CHUNK if self._remaining else _Input.LAST_CHUNK)
        elif not line:
            self._move(_Input.EMPTY_LINE)
        else:
            self._add_trailer(line)

    def _add_trailer(self, line: bytes) -> None:
        """Take a field line of the trailer section. RFC 9112 §7.1.2."""
        name_and_value = parse_field_line(line.decode("latin-1"), self._limits)
        self._trailer_octets += len(line) + 2
        if name_and_value is not None:
            self.trailers.add(*name_and_value)
        if len(self.trailers) > self._limits.field_count:
            raise _bad_chunk(f"it has more than {self._limits.field_count} trailers")


def request_framing(head: RequestHead) -> Framing:
    """Return how the content of a request is framed. RFC 9112 §6.3.

    Raises RemoteProtocolError for lengths that contradict each other (400), and for a transfer
    coding that we do not know (501; nginx has it too where chunked is not the last coding, for
    which RFC 9112 §6.3 has 400).
    """
    return _declared_framing(head.version, head.headers) or NO_CONTENT


def response_framing(head: ResponseHead, request_method: str) -> Framing:
    """Return how the content of a response to that method is framed. RFC 9112 §6.3.

    Raises RemoteProtocolError for lengths that contradict each other, and for a transfer coding
    that we do not know. Both together are refused, not mended: they are how responses are split.
    """
    if request_method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return NO_CONTENT
    if request_method == "CONNECT" and head.status < 300:
        return NO_CONTENT
    return _declared_framing(head.version, head.headers) or UNTIL_CLOSE


def encode_chunk(octets: bytes) -> bytes:
    """Return one chunk; b"" for no octets, since a chunk of none would end the content."""
    return b"%x\r\n%b\r\n" % (len(octets), octets) if octets else b""


def encode_last_chunk(trailers: Headers) -> bytes:
    """Return the end of a chunked content with a trailer section. RFC 9112 §7.1.2."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    return f"0\r\n{lines}\r\n".encode("latin-1")


def wants_keep_alive(version: Version, headers: Headers) -> bool:
    """Whether the sender of a message lets the connection persist. RFC 9112 §9.3."""
    options = tokens(headers, "Connection")
    return "close" not in options and (version >= (1, 1) or "keep-alive" in options)


def _declared_framing(version: Version, headers: Headers) -> Framing | None:
    """What Transfer-Encoding or Content-Length say; None where neither is there."""
    lengths = headers.get_all("Content-Length")
    if "Transfer-Encoding" not in headers:
        return Framing(BodyKind.LENGTH, _content_length(lengths)) if lengths else None
    if version < (1, 1):
        raise RemoteProtocolError("Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")
    if lengths:
        raise RemoteProtocolError("both Transfer-Encoding and Content-Length", "RFC 9112 §6.1")
    codings = tokens(headers, "Transfer-Encoding")
    if len(headers.get_all("Transfer-Encoding")) > 1:  # refused as nginx does, whatever they say
        raise RemoteProtocolError("Transfer-Encoding comes twice", "RFC 9112 §6.1")
    if codings == ["chunked"]:
        return CHUNKED
    unknown = [coding for coding in codings if coding != "chunked"]
    if unknown:
        raise RemoteProtocolError(
            f"transfer coding {unknown[0][:64]!r} is unknown",
            "RFC 9112 §6.1",
            status=501,
            mend="send Transfer-Encoding: chunked, or Content-Length",
        )
    raise RemoteProtocolError("chunked is not applied exactly once", "RFC 9112 §6.1")


def _content_length(values: list[str]) -> int:
    """The one Content-Length. Lists are refused even where all elements agree. RFC 9110 §8.6."""
    is_number = values[0].isdecimal() and values[0].isascii()
    if len(values) > 1 or not is_number or len(values[0]) > _LENGTH_DIGITS:
        shown = ", ".join(values)[:64]
        raise RemoteProtocolError(f"Content-Length {shown!r} is not one number", "RFC 9110 §8.6")
    return int(values[0])


def _bad_chunk(why: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the chunked coding is broken: {why}", "RFC 9112 §7.1")

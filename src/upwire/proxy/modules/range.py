"""ngx_http_range_filter_module: parts of a content (RFC 9110 §14)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from upwire.proxy.dates import parse_date
from upwire.proxy.output import Filter, OutputHead, Refused
from upwire.proxy.request import Request
from upwire.wire.fields import Headers

_RANGE = re.compile(
    r"\s*(?:(?P<first>\d{1,18})\s*-\s*(?P<last>\d{1,18})?|-(?P<suffix>\d{1,18}))\s*"
)
# Where `max_ranges` sets no limit, several parts may not take more than the whole by so much.
_PART_OCTETS, _PARTS_OCTETS = 256, 4096
# How much of parts that were asked for out of their order may wait in memory.
_WAITING_OCTETS_MAX = 1024 * 1024
# What a 416 does not take over from the response that it replaces.
_OF_THE_CONTENT = frozenset({"accept-ranges", "content-type", "etag", "last-modified"})


class Unsatisfiable(Exception):
    """No range that was asked for has any octet of the content."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Octets from start up to, but not with, end."""

    start: int
    end: int


def join(request: Request, head: OutputHead) -> Filter | None:
    """Serve the ranges that were asked for, or say that ranges may be."""
    most = request.settings.max_ranges
    if head.allows_one_range and most != 0:
        most = 1
    if not head.allows_ranges or head.status != 200 or head.length is None or most == 0:
        return None
    try:
        ranges = select_ranges(request.head.headers, head, most)
    except Unsatisfiable:
        kept = [line for line in head.fields.items() if line[0].lower() not in _OF_THE_CONTENT]
        request.added_fields[:] = [*kept, ("Content-Range", f"bytes */{head.length}")]
        raise Refused(416) from None
    if not ranges:
        head.fields.set("Accept-Ranges", "bytes")
        return None
    head.status, head.reason = 206, None
    whole, head.length = head.length, sum(part.end - part.start for part in ranges)
    if len(ranges) == 1:
        head.fields.set("Content-Range", _describe(ranges[0], whole))
        return _OnePart(ranges[0])
    boundary = secrets.token_hex(10)
    parts = _MultiPart(ranges, whole, boundary, head.fields.get("Content-Type"))
    head.length += parts.frame_octets
    head.fields.set("Content-Type", f"multipart/byteranges; boundary={boundary}")
    return parts


def select_ranges(headers: Headers, head: OutputHead, most: int | None) -> list[ByteRange]:
    """Return the ranges to send, none for the whole content; raises Unsatisfiable.

    most: how many there may be. If-Range names the state for which they hold (§13.1.5).
    """
    assert head.length is not None
    value = headers.get("Range")
    if value is None or not value.lower().startswith("bytes=") or len(value) < len("bytes=0"):
        return []
    condition = headers.get("If-Range")
    if condition is not None and not _is_current(condition, head.fields):
        return []
    ranges: list[ByteRange] = []
    for specifier in value[len("bytes=") :].split(","):
        match = _RANGE.fullmatch(specifier)
        if match is None:
            raise Unsatisfiable
        part = _resolve(match, head.length)
        if part.start < part.end:
            ranges.append(part)
        elif part.start == 0:  # of an empty content, or the last 0 octets: nginx sends the whole
            return []
    if not ranges:
        raise Unsatisfiable
    return ranges if _is_worthwhile(ranges, head.length, most) else []


def _is_current(condition: str, fields: Headers) -> bool:
    if len(condition) > 1 and condition.endswith('"'):
        return condition == fields.get("ETag")
    modified = fields.get("Last-Modified")
    return modified is not None and parse_date(condition) == parse_date(modified)


def _resolve(match: re.Match[str], octets: int) -> ByteRange:
    if match["suffix"] is not None:
        return ByteRange(max(0, octets - int(match["suffix"])), octets)
    end = octets if match["last"] is None else min(int(match["last"]) + 1, octets)
    return ByteRange(int(match["first"]), end)


def _is_worthwhile(ranges: Sequence[ByteRange], octets: int, most: int | None) -> bool:
    """Whether to send parts: not too many of them, and no more than the whole would take."""
    if most is not None and len(ranges) > most:
        return False
    asked = sum(part.end - part.start for part in ranges)
    if len(ranges) == 1 or asked > octets:
        return len(ranges) == 1
    if _waiting_octets(ranges) > _WAITING_OCTETS_MAX:
        return False
    return most is not None or asked + len(ranges) * _PART_OCTETS <= octets + _PARTS_OCTETS


def _waiting_octets(ranges: Sequence[ByteRange]) -> int:
    """Return how much comes before its turn, as the content goes by once.

    nginx reads a file again for it, and cannot serve it out of anything else.
    """
    octets = end = 0
    for part in ranges:
        if part.start < end:
            octets += part.end - part.start
        end = max(end, part.end)
    return octets


def _describe(part: ByteRange, octets: int) -> str:
    return f"bytes {part.start}-{part.end - 1}/{octets}"


class _OnePart(Filter):
    """Passes on one range of the content."""

    __slots__ = ("_at", "_part")

    def __init__(self, part: ByteRange) -> None:
        super().__init__()
        self._part = part
        self._at = 0

    async def send(self, octets: bytes) -> None:
        """Pass on what of these octets is in the range."""
        wanted = _cut(octets, self._at, self._part)
        self._at += len(octets)
        if wanted:
            await self.next.send(wanted)


class _MultiPart(Filter):
    """Passes on several ranges as multipart/byteranges (§14.6), in the order asked for.

    What comes ahead of its turn waits in memory, as much as `select_ranges()` lets it.
    """

    __slots__ = (
        *("_at", "_begun", "_current", "_end", "_headers", "_later", "_parts", "_waiting"),
        "frame_octets",
    )

    def __init__(
        self, parts: Sequence[ByteRange], octets: int, boundary: str, media_type: str | None
    ) -> None:
        super().__init__()
        kind = f"Content-Type: {media_type}\r\n" if media_type else ""
        self._parts = parts
        self._headers = [
            f"\r\n--{boundary}\r\n{kind}Content-Range: {_describe(part, octets)}\r\n\r\n".encode(
                "latin-1"
            )
            for part in parts
        ]
        self._end = f"\r\n--{boundary}--\r\n".encode("latin-1")
        self._waiting = [bytearray() for _ in parts]
        self._later = sorted(range(len(parts)), key=lambda number: -parts[number].start)
        self._begun: list[int] = []  # the parts that these octets may belong to
        self._at = 0
        self._current = 0
        self.frame_octets = sum(map(len, self._headers)) + len(self._end)

    async def send(self, octets: bytes) -> None:
        """Pass on what of these octets is in the range whose turn it is, and keep the rest."""
        end = self._at + len(octets)
        while self._later and self._parts[self._later[-1]].start < end:
            self._begun.append(self._later.pop())
        for number in self._begun:
            self._waiting[number] += _cut(octets, self._at, self._parts[number])
        self._begun = [number for number in self._begun if self._parts[number].end > end]
        self._at = end
        while self._current < len(self._parts):
            await self._send_waiting(self._current)
            if self._parts[self._current].end > self._at:
                break
            self._current += 1

    async def finish(self) -> None:
        """End the last part."""
        await self.next.send(self._end)
        await self.next.finish()

    async def _send_waiting(self, number: int) -> None:
        """Pass on what a part has by now, its header before that."""
        waiting = self._waiting[number]
        if not waiting:
            return
        header, self._headers[number] = self._headers[number], b""
        if header:
            await self.next.send(header)
        self._waiting[number] = bytearray()
        await self.next.send(bytes(waiting))


def _cut(octets: bytes, at: int, part: ByteRange) -> bytes:
    """Return what of octets, which are at that place of the content, belongs to a part."""
    start, end = max(part.start - at, 0), max(part.end - at, 0)
    return octets if start == 0 and end >= len(octets) else octets[start:end]

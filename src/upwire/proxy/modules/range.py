"""ngx_http_range_filter_module: one range of a file (RFC 9110 §14).

Several ranges get the whole file, which §14.2 leaves to us; nginx answers multipart/byteranges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from upwire.proxy.modules.not_modified import parse_date
from upwire.wire.fields import Headers

_RANGE = re.compile(
    r"\s*(?:(?P<first>\d{1,18})\s*-\s*(?P<last>\d{1,18})?|-(?P<suffix>\d{1,18}))\s*"
)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Octets from start up to, but not with, end. start == end: the range cannot be satisfied."""

    start: int
    end: int

    @property
    def is_satisfiable(self) -> bool:
        """Whether there is anything in it."""
        return self.start < self.end


UNSATISFIABLE = ByteRange(0, 0)


def select_range(headers: Headers, size_octets: int, modified: str, etag: str) -> ByteRange | None:
    """Return the range to send, UNSATISFIABLE (416), or None for the whole file.

    If-Range names the state of the file for which the range holds (§13.1.5).
    """
    value = headers.get("Range")
    if value is None or not value.lower().startswith("bytes="):
        return None
    condition = headers.get("If-Range")
    if condition is not None and not _is_current(condition, modified, etag):
        return None
    specifiers = value[len("bytes=") :].split(",")
    if len(specifiers) > 1:
        return None
    match = _RANGE.fullmatch(specifiers[0])
    return _resolve(match, size_octets) if match is not None else UNSATISFIABLE


def _is_current(condition: str, modified: str, etag: str) -> bool:
    if condition.endswith('"'):
        return condition == etag
    return parse_date(condition) == parse_date(modified)


def _resolve(match: re.Match[str], size_octets: int) -> ByteRange | None:
    if match["suffix"] is not None:
        start, end = max(0, size_octets - int(match["suffix"])), size_octets
    else:
        start = int(match["first"])
        end = size_octets if match["last"] is None else min(int(match["last"]) + 1, size_octets)
    if start < end:
        return ByteRange(start, end)
    return None if start == 0 else UNSATISFIABLE  # an empty file is sent whole, as nginx does

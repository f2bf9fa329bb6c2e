# cython: boundscheck=False, wraparound=False
"""The lines of a head, cut off and taken apart in one pass, compiled where possible.

RFC 9112 §2 and §5. Cython's pure Python mode: uncompiled, the same file runs, slower.
"""

# Cython has no types for its decorators, so a class of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import re
from typing import TYPE_CHECKING

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.errors import RemoteProtocolError
from upwire.wire.fields import OWS, TCHAR, Headers, is_token

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING
    from cython.cimports.cpython.unicode import PyUnicode_DecodeLatin1
    from cython.cimports.libc.string import memchr

if TYPE_CHECKING:
    from upwire.wire.http1.limits import HeadLimits

_FIELD_LINE = re.compile(rf"({TCHAR}+):([^\x00\r]*)")
_NGINX_FIELD_LINE = re.compile(r"([A-Za-z0-9\-_]+):([^\x00\r]*)")
_DROPPABLE_LINE = re.compile(r"[^\x00-\x20\x7f:]+:[^\x00\r]*")


@cython.final
@cython.cclass
class HeadLines:
    """Cuts lines off a buffer that grows, looks at each octet once, and holds the limits.

    line_start: offset of the line that is not complete yet.
    """

    line_start = cython.declare(cython.Py_ssize_t, visibility="readonly")
    _limits: HeadLimits
    _line_octets: cython.Py_ssize_t
    _head_octets: cython.Py_ssize_t
    _field_limit: cython.Py_ssize_t
    _searched: cython.Py_ssize_t
    _field_count: cython.Py_ssize_t
    _fields: list[tuple[str, str]]

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._line_octets = limits.line_octets
        self._head_octets = limits.head_octets
        self._field_limit = limits.field_count
        self.line_start = 0
        self._searched = 0  # no LF between line_start and here
        self._field_count = 0
        self._fields = []

    def next_line(self, octets: bytes, status: int) -> str | None:
        """The next line without its end, or None where it is incomplete.

        octets: the buffer from its first octet on. status: what to answer past a limit.
        """
        start: cython.Py_ssize_t = self.line_start
        end: cython.Py_ssize_t = self._end_of_line(octets, status)
        return None if end < 0 else octets[start:end].decode("latin-1")

    def next_fields(self, octets: bytes) -> Headers | None:
        """All fields, once the empty line that ends them is there."""
        start: cython.Py_ssize_t
        end: cython.Py_ssize_t
        while True:
            start = self.line_start
            end = self._end_of_line(octets, self._limits.field_status)
            if end < 0:
                return None
            if end == start:
                return Headers.from_parsed(self._fields)
            self._field_count += 1
            if self._field_count > self._field_limit:
                raise RemoteProtocolError(
                    f"the head has more than {self._field_limit} fields",
                    "RFC 9110 §5.4",
                    status=self._limits.field_status,
                )
            field = self._read_field(octets, start, end)
            if field is not None:
                self._fields.append(field)

    @cython.cfunc
    def _end_of_line(self, octets: bytes, status: int) -> cython.Py_ssize_t:
        """Take the next line, and return where its end begins; -1 where it is incomplete."""
        end: cython.Py_ssize_t = octets.find(b"\n", self._searched)
        n: cython.Py_ssize_t = len(octets) if end < 0 else end
        # A line that is incomplete has one more octet at least, so the verdict on a line
        # does not depend on how its octets were split.
        if n >= self.line_start + self._line_octets or n >= self._head_octets:
            raise self._too_long(status)
        if end < 0:
            self._searched = n
            return -1
        has_return: cython.bint = end > self.line_start and octets[end - 1] == 13
        if not has_return and not self._limits.accepts_loose_lines:
            raise RemoteProtocolError("a line ends in LF without CR", "RFC 9112 §2.2")
        self.line_start = self._searched = end + 1
        return end - 1 if has_return else end

    def _too_long(self, status: int) -> RemoteProtocolError:
        """What is wrong where the buffer passes a limit: the one that is passed first."""
        if self.line_start + self._line_octets <= self._head_octets:
            what = f"a line of the head is longer than {self._line_octets} octets"
        else:
            what = f"the head is longer than {self._head_octets} octets"
        return RemoteProtocolError(what, "RFC 9110 §5.4", status=status)

    @cython.cfunc
    def _read_field(
        self, octets: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t
    ) -> tuple[str, str] | None:
        """Name and value of a field line; None: it is to be dropped.

        What every setting reads alike is read here when compiled, the rest in parse_field_line().
        """
        if cython.compiled:
            text: cython.p_const_char = PyBytes_AS_STRING(octets)
            colon: cython.Py_ssize_t = start
            while colon < end and _is_plain(text[colon]):
                colon += 1
            is_plain: cython.bint = (
                start < colon < end
                and text[colon] == 58
                and memchr(text + colon, 13, end - colon) == cython.NULL
                and memchr(text + colon, 0, end - colon) == cython.NULL
            )
            if is_plain:
                first: cython.Py_ssize_t = colon + 1
                while first < end and (text[first] == 32 or text[first] == 9):
                    first += 1
                while end > first and (text[end - 1] == 32 or text[end - 1] == 9):
                    end -= 1
                return (
                    PyUnicode_DecodeLatin1(text + start, colon - start, cython.NULL),
                    PyUnicode_DecodeLatin1(text + first, end - first, cython.NULL),
                )
        return parse_field_line(octets[start:end].decode("latin-1"), self._limits)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _is_plain(octet: cython.uchar) -> cython.bint:
    """Whether every setting lets a field name have it: letters, digits and hyphens."""
    lower: cython.uchar = octet | 32
    return 97 <= lower <= 122 or 48 <= octet <= 57 or octet == 45


def parse_field_line(line: str, limits: HeadLimits) -> tuple[str, str] | None:
    """Return name and value of a field line given without its end; None: it is to be dropped.

    Raises RemoteProtocolError for a line that no one may read as a field. RFC 9112 §5.
    """
    match = (_NGINX_FIELD_LINE if limits.drops_other_names else _FIELD_LINE).fullmatch(line)
    if match is None:
        if limits.drops_other_names and _DROPPABLE_LINE.fullmatch(line):
            return None
        raise _bad_field_line(line)
    name, value = match.groups()
    if limits.drops_underscores and "_" in name:
        return None
    return name, value.strip(OWS)


def _bad_field_line(line: str) -> RemoteProtocolError:
    """What is wrong with a line that is no field line. RFC 9112 §5."""
    if line.startswith(("\t", " ")):
        return RemoteProtocolError("a field line is folded", "RFC 9112 §5.2")
    name, colon, _ = line.partition(":")
    shown = repr(name[:64])
    if not colon:
        return RemoteProtocolError(f"field line {shown} has no colon", "RFC 9112 §5")
    if name.endswith(("\t", " ")):
        return RemoteProtocolError(f"a space follows field name {shown}", "RFC 9112 §5.1")
    if not is_token(name):
        return RemoteProtocolError(f"field name {shown} is not a token", "RFC 9110 §5.1")
    return RemoteProtocolError(f"value of field {shown} has a NUL or a bare CR", "RFC 9110 §5.5")

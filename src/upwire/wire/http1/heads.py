# cython: annotation_typing=False
"""The heads of HTTP/1.1 requests and responses: parsed within limits, and serialized.

RFC 9112 §2 to §5. Text is decoded as latin-1, so every octet survives a round trip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire.fields import TCHAR, Headers
from upwire.wire.http1._head_lines import HeadLines
from upwire.wire.http1.limits import DEFAULT_LIMITS, HeadLimits

Version = tuple[int, int]

_REASON_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    # RFC 9110 §15.5 renamed these; the standard library follows in Python 3.13.
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

_KNOWN_STATUS_LINES = frozenset(
    f"HTTP/1.1 {status} {phrase}" for status, phrase in _REASON_PHRASES.items()
)

_TARGET = r"[!-~\x80-\xff]+"  # octets above 0x7f too, as nginx: clients do send raw UTF-8
_VERSION = r"HTTP/([0-9])\.([0-9])"
_REQUEST_LINE = re.compile(rf"({TCHAR}+) ({_TARGET}) {_VERSION}")
_LOOSE_REQUEST_LINE = re.compile(rf"({TCHAR}+) +({_TARGET}) +{_VERSION} *")
_STATUS_LINE = re.compile(rf"{_VERSION} ([1-9][0-9][0-9])(?: ([^\x00\r\n\u0100-\U0010ffff]*))?")
_ABSOLUTE_FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)(.*)")
_REQUEST_BEGINS = re.compile(rf"{TCHAR}|[\r\n]".encode())
_HOST = re.compile(  # RFC 3986 §3.2.2: IPv6address, IPvFuture, or else a name
    r"(?:\[[0-9A-Fa-f:.]+\]|\[[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\]"
    r"|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::[0-9]*)?"
)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and its fields. RFC 9112 §3."""

    method: str
    target: str
    version: Version = (1, 1)
    headers: Headers = field(default_factory=Headers)

    @property
    def path(self) -> str:
        """The path of the target, not decoded; "*" and CONNECT's authority as they are."""
        return self._path_and_query().partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the first "?" of the target, not decoded; "" where there is none."""
        return self._path_and_query().partition("?")[2]

    @property
    def authority(self) -> str | None:
        """Host and port of a target in absolute form, which overrule Host; or None. §3.2.2."""
        match = None if self.target.startswith("/") else _ABSOLUTE_FORM.fullmatch(self.target)
        return match[1] if match else None

    def _path_and_query(self) -> str:
        match = None if self.target.startswith("/") else _ABSOLUTE_FORM.fullmatch(self.target)
        if match is None:
            return self.target
        return match[2] if match[2].startswith("/") else "/" + match[2]


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A status line and its fields. RFC 9112 §4."""

    status: int
    reason: str
    version: Version = (1, 1)
    headers: Headers = field(default_factory=Headers)


class RequestHeadParser:
    """Reads one request head from a buffer that grows, each octet once. RFC 9112 §3, §5."""

    __slots__ = ("_limits", "_lines", "_start")

    def __init__(self, limits: HeadLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lines = HeadLines(limits)
        self._start: tuple[str, str, Version] | None = None

    def parse(self, buffer: bytes | bytearray) -> tuple[RequestHead, int] | None:
        """Return the head and how many octets it took, or None where more are needed.

        buffer: what it was at the last call, and what came since.
        Empty lines before the request line are skipped (§2.2). Raises RemoteProtocolError as
        soon as the octets cannot become a head within the limits.
        """
        octets, limits, lines = bytes(buffer), self._limits, self._lines
        while self._start is None:
            _refuse_other_protocol(octets, lines.line_start)
            line = lines.next_line(octets, limits.start_line_status)
            if line is None:
                return None
            if line:
                self._start = _parse_request_line(line, limits)
        headers = lines.next_fields(octets)
        if headers is None:
            return None
        head = RequestHead(*self._start, headers)
        check_host(head)
        return head, lines.line_start


class ResponseHeadParser:
    """Reads one response head from a buffer that grows, each octet once. RFC 9112 §4, §5."""

    __slots__ = ("_limits", "_lines", "_start")

    def __init__(self, limits: HeadLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lines = HeadLines(limits)
        self._start: tuple[int, str, Version] | None = None

    def parse(self, buffer: bytes | bytearray) -> tuple[ResponseHead, int] | None:
        """Return the head and how many octets it took, or None where more are needed.

        buffer: what it was at the last call, and what came since.
        Raises RemoteProtocolError as soon as the octets cannot become a head within the limits.
        """
        octets = bytes(buffer)
        if self._start is None:
            line = self._lines.next_line(octets, self._limits.start_line_status)
            if line is None:
                return None
            self._start = _parse_status_line(line)
        headers = self._lines.next_fields(octets)
        if headers is None:
            return None
        return ResponseHead(*self._start, headers), self._lines.line_start


def parse_request_head(
    buffer: bytes | bytearray, limits: HeadLimits = DEFAULT_LIMITS
) -> tuple[RequestHead, int] | None:
    """RequestHeadParser.parse for a buffer that is looked at once."""
    return RequestHeadParser(limits).parse(buffer)


def parse_response_head(
    buffer: bytes | bytearray, limits: HeadLimits = DEFAULT_LIMITS
) -> tuple[ResponseHead, int] | None:
    """ResponseHeadParser.parse for a buffer that is looked at once."""
    return ResponseHeadParser(limits).parse(buffer)


def check_host(head: RequestHead) -> None:
    """Raise RemoteProtocolError unless there is one valid Host; HTTP/1.0 may have none.

    A target in absolute form overrules Host, so that its authority must be valid too; user
    information is refused there (RFC 9110 §4.2.4), as nginx does. RFC 9112 §3.2.
    """
    authority = head.authority
    if authority is not None and not _HOST.fullmatch(authority):
        raise RemoteProtocolError(
            f"request-target {head.target[:64]!r} names no host",
            "RFC 9110 §4.2.1",
            mend='begin the request-target with "/"',
        )
    hosts = head.headers.get_all("Host")
    if not hosts and head.version < (1, 1):
        return
    if len(hosts) != 1:
        raise RemoteProtocolError(
            "the request has more than one Host" if hosts else "the request has no Host",
            "RFC 9112 §3.2",
            mend="send exactly one Host field",
        )
    if not _HOST.fullmatch(hosts[0]):
        raise RemoteProtocolError(
            f"Host {hosts[0][:64]!r} is no host with an optional port",
            "RFC 9112 §3.2",
            mend="send the host and port of the URL as Host",
        )


def serialize_request(head: RequestHead) -> bytes:
    """The octets of a request head. Raises LocalProtocolError for a line that would be another."""
    line = f"{head.method} {head.target} HTTP/{head.version[0]}.{head.version[1]}"
    if not _REQUEST_LINE.fullmatch(line):
        raise LocalProtocolError(f"{line[:64]!r} is no request line (RFC 9112 §3)")
    return head.headers.serialize(line)


def serialize_response(head: ResponseHead) -> bytes:
    """The octets of a response head. Raises LocalProtocolError for a line that would be another."""
    line = f"HTTP/{head.version[0]}.{head.version[1]} {head.status} {head.reason}"
    if line not in _KNOWN_STATUS_LINES and not _STATUS_LINE.fullmatch(line):
        raise LocalProtocolError(f"{line[:64]!r} is no status line (RFC 9112 §4)")
    return head.headers.serialize(line)


def reason_phrase(status: int) -> str:
    """The phrase that RFC 9110 §15 and the IANA registry give a status, "" for an unknown one."""
    return _REASON_PHRASES.get(status, "")


def _refuse_other_protocol(octets: bytes, at: int) -> None:
    """Raise at the first octet of what is no HTTP, such as a TLS record."""
    if at < len(octets) and not _REQUEST_BEGINS.match(octets, at):
        raise RemoteProtocolError(
            "the connection does not begin with an HTTP request",
            "RFC 9112 §3",
            mend="this port speaks no TLS: use http:// or ws:// here",
        )


def _parse_request_line(line: str, limits: HeadLimits) -> tuple[str, str, Version]:
    """Method, request-target and version. RFC 9112 §3."""
    form = _LOOSE_REQUEST_LINE if limits.accepts_loose_lines else _REQUEST_LINE
    match = form.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(f"{line[:64]!r} is no request line", "RFC 9112 §3")
    method, target, major, minor = match.groups()
    if major != "1":
        raise RemoteProtocolError(
            f"HTTP version {major}.{minor} is not supported",
            "RFC 9110 §15.6.6",
            status=505,
            mend="use HTTP/1.1",
        )
    if not (
        target.startswith("/")
        or method == "CONNECT"
        or (target == "*" and method == "OPTIONS")
        or _ABSOLUTE_FORM.fullmatch(target)
    ):
        raise RemoteProtocolError(
            f"request-target {target[:64]!r} has no known form",
            "RFC 9112 §3.2",
            mend='begin the request-target with "/"',
        )
    return method, target, (1, int(minor))


def _parse_status_line(line: str) -> tuple[int, str, Version]:
    """Status, reason phrase and version. RFC 9112 §4; the space before no reason may lack."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(f"{line[:64]!r} is no status line", "RFC 9112 §4")
    major, minor, status, reason = match.groups()
    if major != "1":
        raise RemoteProtocolError(f"HTTP version {major}.{minor} is not 1.x", "RFC 9112 §2.3")
    return int(status), reason or "", (1, int(minor))

"""What a request addresses: the request-target and the Host, read as nginx reads them.

Pure. Text is latin-1, so that octets round-trip.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from upwire.errors import RemoteProtocolError

_ABSOLUTE_FORM = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/? #]*)")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_NEEDS_WORK = re.compile(r"[%#]|//|/\.")
# nginx escapes these in a normalised path (NGX_ESCAPE_URI): what RFC 3986 §2 bars, and # % ?
_UNSAFE = re.compile(r"[\x00-\x20\"#%<>?\\^`{|}\x7f-\xff]")
_HOST = re.compile(
    r"(?P<name>\[[A-Za-z0-9:._~!$&'()*+,;=-]*\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::(?P<port>0*[0-9]{0,5}))?"
)


class Target(NamedTuple):
    """A request-target taken apart (RFC 9112 §3.2).

    uri: the path that locations are matched with: decoded, without dot segments.
    args: the query, without its question mark.
    request_uri: path and query as the client wrote them; no path when the client wrote none.
    host: the authority of an absolute-form target, "" otherwise; it overrides the Host field.
    is_escaped: the path held percent-encoded octets, so it is escaped again on its way upstream.
    """

    uri: str
    args: str
    request_uri: str
    host: str
    is_escaped: bool


NO_TARGET = Target("", "", "", "", False)
"""Of a request before its target was read."""


def parse_target(target: str, *, merge_slashes: bool = True) -> Target:
    """Read a request-target in origin-form or absolute-form.

    Raises RemoteProtocolError (400) for another form, a bad percent-encoding, an encoded NUL,
    or dot segments that lead above the root.
    """
    host = ""
    request_uri = target
    if not target.startswith("/"):
        absolute = _ABSOLUTE_FORM.match(target)
        if absolute is None or not absolute["authority"]:
            raise _invalid(f"request-target {target!r} has neither a path nor a scheme and host")
        host = absolute["authority"]
        request_uri = target[absolute.end() :] or "/"
    before_fragment = request_uri.partition("#")[0] if "#" in request_uri else request_uri
    path, _, args = before_fragment.partition("?")
    path = path or "/"
    is_escaped = "%" in path
    if _NEEDS_WORK.search(path):
        path = remove_dot_segments(_decode(path), merge_slashes=merge_slashes)
    return Target(path, args, request_uri, host, is_escaped)


def parse_unsafe_uri(text: str) -> tuple[str, str]:
    """Read a path with arguments that a content or an upstream's field names.

    Returns the path decoded, and the arguments.

    Raises RemoteProtocolError for no path, a bad percent-encoding, or a path that leads upwards.
    """
    path, _, args = text.partition("?")
    path = _decode(path)
    if not path or ".." in path.split("/"):
        raise _invalid(f"path {path!r} leads upwards")
    return path, args


def remove_dot_segments(path: str, *, merge_slashes: bool) -> str:
    """Resolve `.`, `..` and, if asked, doubled slashes in a decoded absolute path.

    Raises RemoteProtocolError (400) where `..` leads above the root: RFC 3986 §5.2.4 would
    stay at the root, nginx refuses.
    """
    kept: list[str] = []
    *directories, last = path[1:].split("/")
    for segment in directories:
        if segment == "..":
            _leave(kept, path)
        elif segment != "." and (segment or not merge_slashes):
            kept.append(segment)
    if last == "..":
        _leave(kept, path)
    kept.append("" if last in (".", "..") else last)
    return "/" + "/".join(kept)


def escape_path(path: str) -> str:
    """Percent-encode a normalised path for use in a request-target or a Location field."""
    return _UNSAFE.sub(lambda octet: f"%{ord(octet[0]):02X}", path)


def has_port(authority: str) -> bool:
    """Whether a request-target is a host with a port, as CONNECT has it. RFC 9112 §3.2.3."""
    match = _HOST.fullmatch(authority)
    return match is not None and bool(match["port"])


@lru_cache(maxsize=256)  # the hosts that are asked are few
def parse_host(value: str) -> tuple[str, int]:
    """Return the name in a Host value, lower case and without trailing dot, and its port or 0.

    Raises RemoteProtocolError (400) for what is no host. RFC 9110 §7.2, RFC 3986 §3.2.2.
    """
    match = _HOST.fullmatch(value)
    name = match["name"].removesuffix(".") if match else ""
    if match is None or not name or ".." in match["name"] or int(match["port"] or 0) > 65535:
        raise RemoteProtocolError("client sent invalid host", "RFC 9110 §7.2", status=400)
    return name.lower(), int(match["port"] or 0)


def _decode(path: str) -> str:
    return _ESCAPE.sub(_decode_octet, path)


def _decode_octet(escape: re.Match[str]) -> str:
    octet = int(escape[1] or "0", 16)
    if octet == 0:
        raise _invalid("bad percent-encoding in the request-target")
    return chr(octet)


def _leave(kept: list[str], path: str) -> None:
    if not kept:
        raise _invalid(f"path {path!r} leads above the root")
    kept.pop()


def _invalid(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, "RFC 9112 §3.2", status=400)

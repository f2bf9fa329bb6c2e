"""Fields of HTTP messages: the lines, and the small grammars inside their values.

RFC 9110 §5. Names and values are text decoded as latin-1, so every octet survives a round trip.
"""

from __future__ import annotations

import re

from upwire.errors import RemoteProtocolError
from upwire.wire._headers import (
    OWS,
    TCHAR,
    Headers,
    has_token,
    is_token,
    parse_list,
    tokens,
)

__all__ = [
    "HOP_BY_HOP",
    "OWS",
    "TCHAR",
    "Headers",
    "has_token",
    "is_token",
    "parse_list",
    "parse_parameters",
    "remove_hop_by_hop",
    "tokens",
]

# What concerns one connection only, whether Connection lists it or not (RFC 9110 §7.6.1).
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
# A peer that lists these in Connection would have us forward another message than it sent.
_NEVER_HOP_BY_HOP = frozenset({"content-length", "host"})

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(TCHAR + "+")
_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*(?P<name>{TCHAR}+)[ \t]*"
    rf"(?:=[ \t]*(?:(?P<quoted>{_QUOTED})|(?P<token>{TCHAR}+))[ \t]*)?",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def parse_parameters(element: str) -> tuple[str, list[tuple[str, str | None]]]:
    """Split `name; a; b=1; c="2"` into the name and its parameters, in order, names as sent.

    A parameter without a value has None. Duplicates are kept: what they mean is the caller's.
    Raises RemoteProtocolError where the element does not follow RFC 6455 §9.1, whose quoted
    values are tokens too.
    """
    start = _TOKEN.match(element)
    if start is None:
        raise RemoteProtocolError(f"no name in {element!r}", "RFC 6455 §9.1")
    parameters: list[tuple[str, str | None]] = []
    at = start.end()
    while at < len(element):
        match = _PARAMETER.match(element, at)
        if match is None:
            raise RemoteProtocolError(f"malformed parameter in {element!r}", "RFC 6455 §9.1")
        value: str | None = match["token"]
        if match["quoted"] is not None:
            value = _QUOTED_PAIR.sub(r"\1", match["quoted"][1:-1])
            if not is_token(value):
                raise RemoteProtocolError(f"quoted value {value!r} is no token", "RFC 6455 §9.1")
        parameters.append((match["name"], value))
        at = match.end()
    return start.group(), parameters


def remove_hop_by_hop(headers: Headers) -> Headers:
    """The fields that an intermediary forwards. RFC 9110 §7.6.1.

    Leaves out Connection, what it lists, and the fields that are known to concern one connection.
    Host and Content-Length stay even where Connection lists them.
    """
    dropped = HOP_BY_HOP.union(tokens(headers, "Connection")) - _NEVER_HOP_BY_HOP
    return Headers.from_parsed([line for line in headers.items() if line[0].lower() not in dropped])

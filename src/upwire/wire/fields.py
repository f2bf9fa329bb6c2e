"""Fields of HTTP messages: the lines, and the small grammars inside their values.

RFC 9110 §5. Names and values are text decoded as latin-1, so every octet survives a round trip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from upwire.errors import LocalProtocolError, RemoteProtocolError

# What concerns one connection only, whether Connection lists it or not (RFC 9110 §7.6.1).
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
# A peer that lists these in Connection would have us forward another message than it sent.
_NEVER_HOP_BY_HOP = frozenset({"content-length", "host"})

# A character of a token, for regular expressions (RFC 9110 §5.6.2).
TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
OWS = " \t"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(TCHAR + "+")
_BARRED_IN_VALUE = re.compile(r"[\x00\r\n\u0100-\U0010ffff]")
# A quoted string may lack its end: what follows stays in it, so a comma there opens nothing.
_LIST_ELEMENT = re.compile(r'(?:[^,"]++|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))+', re.DOTALL)
_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*(?P<name>{TCHAR}+)[ \t]*"
    rf"(?:=[ \t]*(?:(?P<quoted>{_QUOTED})|(?P<token>{TCHAR}+))[ \t]*)?",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Headers:
    """The field lines of a message or its trailers: ordered, case and duplicates kept.

    Names are compared without case. A name that is no token, or a value with CR, LF, NUL or a
    character outside latin-1, raises LocalProtocolError: it could forge a line of its own.
    """

    __slots__ = ("_keys", "_lines")

    def __init__(self, lines: Headers | Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str]]
        if isinstance(lines, Headers):
            self._lines = lines._lines.copy()
        else:
            self._lines = list(lines.items() if isinstance(lines, Mapping) else lines)
            for name, value in self._lines:
                _check_line(name, value)
        self._keys = [name.lower() for name, _ in self._lines]

    @classmethod
    def from_parsed(cls, lines: list[tuple[str, str]]) -> Headers:
        """Fields over lines that a parser has checked already; takes the list over."""
        headers = cls.__new__(cls)
        headers._lines = lines
        headers._keys = [name.lower() for name, _ in lines]
        return headers

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first line of that name."""
        key = name.lower()
        if key in self._keys:
            return self._lines[self._keys.index(key)][1]
        return default

    def get_all(self, name: str) -> list[str]:
        """The values of all lines of that name, in order."""
        key = name.lower()
        if key not in self._keys:
            return []
        return [
            line[1] for line, other in zip(self._lines, self._keys, strict=True) if other == key
        ]

    def combined(self, name: str) -> str | None:
        """The values of all lines of that name as one list, or None. RFC 9110 §5.3."""
        values = self.get_all(name)
        return ", ".join(values) if values else None

    def items(self) -> Iterator[tuple[str, str]]:
        """Every line as (name, value), in order."""
        return iter(self._lines)

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        _check_line(name, value)
        self._lines.append((name, value))
        self._keys.append(name.lower())

    def set(self, name: str, value: str) -> None:
        """Replace all lines of that name by one in the first's place, or append it."""
        key = name.lower()
        if key not in self._keys:
            self.add(name, value)
            return
        _check_line(name, value)
        first = self._keys.index(key)
        self.remove(name)
        self._lines.insert(first, (name, value))
        self._keys.insert(first, key)

    def remove(self, name: str) -> None:
        """Remove all lines of that name; none is fine."""
        key = name.lower()
        if key in self._keys:
            self._lines = [
                line for line, other in zip(self._lines, self._keys, strict=True) if other != key
            ]
            self._keys = [other for other in self._keys if other != key]

    def copy(self) -> Headers:
        """The same lines in an object of their own."""
        return Headers(self)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._keys

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._lines)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._keys == other._keys and all(
            mine[1] == theirs[1] for mine, theirs in zip(self._lines, other._lines, strict=True)
        )

    def __repr__(self) -> str:
        return f"Headers({self._lines!r})"


def is_token(text: str) -> bool:
    """Whether the text is one token. RFC 9110 §5.6.2."""
    return _TOKEN.fullmatch(text) is not None


def parse_list(value: str) -> list[str]:
    """The elements of a comma-separated list, empty ones left out. RFC 9110 §5.6.1.

    Commas inside quoted strings do not separate; a quoted string without an end takes the rest.
    """
    raw = _LIST_ELEMENT.findall(value) if '"' in value else value.split(",")
    return [element for element in (part.strip(OWS) for part in raw) if element]


def tokens(headers: Headers, name: str) -> list[str]:
    """The list elements of all lines of that name, in lower case: Connection, Upgrade, TE."""
    return [element.lower() for value in headers.get_all(name) for element in parse_list(value)]


def has_token(headers: Headers, name: str, token: str) -> bool:
    """Whether a list field has that element, compared without case."""
    return token.lower() in tokens(headers, name)


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


def _check_line(name: str, value: str) -> None:
    """Raise LocalProtocolError for a line that would not be one field line on the wire."""
    if not is_token(name):
        raise LocalProtocolError(f"field name {name!r} is not a token (RFC 9110 §5.1)")
    if _BARRED_IN_VALUE.search(value):
        raise LocalProtocolError(f"value of field {name} has a barred character (RFC 9110 §5.5)")

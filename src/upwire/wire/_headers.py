# cython: boundscheck=False, wraparound=False
"""`Headers`: the field lines of a message, and the lists in their values.

RFC 9110 §5. Names and values are text decoded as latin-1, so every octet survives a round trip.
Compiled where a C compiler was there; uncompiled, the same file runs, slower.
"""

# Cython has no types for its decorators, so a class of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.errors import LocalProtocolError

# A character of a token, for regular expressions (RFC 9110 §5.6.2).
TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
OWS = " \t"
_TOKEN = re.compile(TCHAR + "+")
# A quoted string may lack its end: what follows stays in it, so a comma there opens nothing.
_LIST_ELEMENT = re.compile(r'(?:[^,"]++|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))+', re.DOTALL)
_BARRED_IN_VALUE = re.compile(r"[\x00\r\n\u0100-\U0010ffff]")
# The same characters as bits, those from 0 and those from 64 on.
_TCHARS = [code for code in range(128) if _TOKEN.fullmatch(chr(code))]
_LOW_TCHARS = cython.declare(cython.ulonglong, sum(1 << c for c in _TCHARS if c < 64))
_HIGH_TCHARS = cython.declare(cython.ulonglong, sum(1 << c - 64 for c in _TCHARS if c >= 64))


@cython.final
@cython.cclass
class Headers:
    """The field lines of a message or its trailers: ordered, case and duplicates kept.

    Names are compared without case. A name that is no token, or a value with CR, LF, NUL or a
    character outside latin-1, raises LocalProtocolError: it could forge a line of its own.
    """

    _lines: list[tuple[str, str]]
    _keys: list[str] | None  # the names in lower case, once one was looked up

    def __init__(self, lines: Headers | Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._keys = None
        if isinstance(lines, Headers):
            given: Headers = lines
            self._lines = given._lines.copy()
            return
        self._lines = list(lines.items() if isinstance(lines, Mapping) else lines)
        for name, value in self._lines:
            _check_line(name, value)

    @classmethod
    def from_parsed(cls, lines: list[tuple[str, str]]) -> Headers:
        """Fields over lines that a parser has checked already; takes the list over."""
        headers: Headers = Headers.__new__(Headers)
        headers._lines = lines
        headers._keys = None
        return headers

    @property
    def octets(self) -> int:
        """How many octets the lines take on the wire, each with its end."""
        octets: cython.Py_ssize_t = 0
        for name, value in self._lines:
            octets += len(name) + len(value) + 4  # ": " and CR LF
        return octets

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first line of that name."""
        keys = self._lower_names()
        key = name.lower()
        return self._lines[keys.index(key)][1] if key in keys else default

    def get_all(self, name: str) -> list[str]:
        """The values of all lines of that name, in order."""
        return self._values(name)

    def combined(self, name: str) -> str | None:
        """The values of all lines of that name as one list, or None. RFC 9110 §5.3."""
        values = self._values(name)
        return ", ".join(values) if values else None

    def items(self) -> Iterator[tuple[str, str]]:
        """Every line as (name, value), in order."""
        return iter(self._lines)

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        _check_line(name, value)
        self._lines.append((name, value))
        if self._keys is not None:
            self._keys.append(name.lower())

    def set(self, name: str, value: str) -> None:
        """Replace all lines of that name by one in the first's place, or append it."""
        keys = self._lower_names()
        key = name.lower()
        if key not in keys:
            self.add(name, value)
            return
        _check_line(name, value)
        first = keys.index(key)
        self.remove(name)
        self._lines.insert(first, (name, value))
        self._keys = None

    def remove(self, name: str) -> None:
        """Remove all lines of that name; none is fine."""
        keys = self._lower_names()
        key = name.lower()
        if key in keys:
            self._lines = [
                line for line, other in zip(self._lines, keys, strict=True) if other != key
            ]
            self._keys = None

    def copy(self) -> Headers:
        """The same lines in an object of their own."""
        return Headers(self)

    def serialize(self, start_line: str) -> bytes:
        """The octets of a head that begins with this line, given without its end.

        RFC 9112 §2.1.
        """
        parts = [start_line, "\r\n"]
        for name, value in self._lines:
            parts += (name, ": ", value, "\r\n")
        parts.append("\r\n")
        return "".join(parts).encode("latin-1")

    @cython.cfunc
    def _values(self, name: str) -> list[str]:
        keys = self._lower_names()
        key = name.lower()
        return [self._lines[at][1] for at in range(len(keys)) if keys[at] == key]

    @cython.cfunc
    def _lower_names(self) -> list[str]:
        """The names in lower case. Most heads are asked, and only after they were read whole."""
        if self._keys is None:
            self._keys = [name.lower() for name, _ in self._lines]
        return self._keys

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lower_names()

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._lines])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        theirs: Headers = other
        return self._lower_names() == theirs._lower_names() and (
            [value for _, value in self._lines] == [value for _, value in theirs._lines]
        )

    def __repr__(self) -> str:
        return f"Headers({self._lines!r})"


def parse_list(value: str) -> list[str]:
    """The elements of a comma-separated list, empty ones left out. RFC 9110 §5.6.1.

    Commas inside quoted strings do not separate; a quoted string without an end takes the rest.
    """
    if '"' in value:
        parts = _LIST_ELEMENT.findall(value)
    elif "," in value:
        parts = value.split(",")
    else:
        parts = [value]
    return [element for element in [part.strip(OWS) for part in parts] if element]


def tokens(headers: Headers, name: str) -> list[str]:
    """The list elements of all lines of that name, in lower case: Connection, Upgrade, TE."""
    return [element.lower() for value in headers._values(name) for element in parse_list(value)]


def has_token(headers: Headers, name: str, token: str) -> bool:
    """Whether a list field has that element, compared without case."""
    values = headers._values(name)
    return bool(values) and token.lower() in [
        element.lower() for value in values for element in parse_list(value)
    ]


def is_token(text: str) -> bool:
    """Whether the text is one token. RFC 9110 §5.6.2."""
    return bool(_is_token(text))


@cython.cfunc
def _is_token(text: str) -> cython.bint:
    if cython.compiled:
        character: cython.Py_UCS4
        for character in text:
            if not is_tchar(character):
                return False
        return len(text) > 0
    return _TOKEN.fullmatch(text) is not None


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def is_tchar(code: cython.uint) -> cython.bint:
    """Whether a token may have the character of that code. RFC 9110 §5.6.2."""
    if code < 64:
        return (_LOW_TCHARS >> code) & 1
    return code < 128 and (_HIGH_TCHARS >> (code - 64)) & 1


@cython.cfunc
def _check_line(name: str, value: str) -> None:
    """Raise LocalProtocolError for a line that would not be one field line on the wire."""
    if not _is_token(name):
        raise LocalProtocolError(f"field name {name!r} is not a token (RFC 9110 §5.1)")
    if _has_barred(value):
        raise LocalProtocolError(f"value of field {name} has a barred character (RFC 9110 §5.5)")


@cython.cfunc
def _has_barred(value: str) -> cython.bint:
    """Whether a value has what would end it, or cannot be sent."""
    if cython.compiled:
        character: cython.Py_UCS4
        for character in value:
            if character > 255 or character == 0 or character == 10 or character == 13:
                return True
        return False
    return _BARRED_IN_VALUE.search(value) is not None

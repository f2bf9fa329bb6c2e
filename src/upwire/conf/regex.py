"""Regular expressions as nginx runs them: PCRE2 over octets.

Python's `re` reads another dialect (no possessive groups before 3.11, no `(?<name>...)`), and
would give other captures than nginx does. Text is str decoded as latin-1, one character an octet.
"""

from __future__ import annotations

from typing import Any

import pcre2

from upwire.errors import ConfigError, Problem, UpwireError


class RegexFailed(UpwireError):
    """PCRE2 gave up: the text makes the expression backtrack past the match limit."""


class Regex:
    """A compiled pattern. groups counts its captures, names maps the named ones to numbers."""

    __slots__ = ("_code", "groups", "is_caseless", "names", "pattern")

    def __init__(self, pattern: str, *, is_caseless: bool = False) -> None:
        """Compile pattern; raises ConfigError with nginx's words where PCRE2 refuses it."""
        self.pattern = pattern
        self.is_caseless = is_caseless
        self._code: Any = _compile(pattern, is_caseless)  # the binding has no annotations
        self.groups: int = self._code.groups
        self.names: dict[str, int] = dict(self._code.groupindex)

    def search(self, text: str) -> tuple[str, ...] | None:
        """Return the whole match and then every capture ("" where unset), or None.

        Raises RegexFailed where no answer comes within PCRE2's limits.
        """
        try:
            match = self._code.search(text.encode("latin-1", "replace"))
        except pcre2.LibraryError as error:
            message = f'pcre2_match() failed: {error.code} on "{text}" using "{self.pattern}"'
            raise RegexFailed(message) from None
        if match is None:
            return None
        captures = (match.group(), *match.groups(b""))
        return tuple(octets.decode("latin-1") for octets in captures)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Regex):
            return NotImplemented
        return (self.pattern, self.is_caseless) == (other.pattern, other.is_caseless)

    def __hash__(self) -> int:
        return hash((self.pattern, self.is_caseless))

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r}, is_caseless={self.is_caseless})"


def _compile(pattern: str, is_caseless: bool) -> Any:
    octets = pattern.encode("latin-1")
    flags = pcre2.IGNORECASE if is_caseless else pcre2.NOFLAG
    try:
        # jit=False as nginx's `pcre_jit off`: machine code fails on long texts, its stack is small.
        return pcre2.compile(octets, flags, jit=False)
    except pcre2.PatternError as error:
        rest = octets[error.pos :].decode("latin-1")
        place = f' at "{rest}"' if rest else ""
        reason = error.msg.partition("; ")[2]
        message = f'pcre2_compile() failed: {reason} in "{pattern}"{place}'
        raise ConfigError([Problem(message)]) from None

"""The text of an nginx.conf whose lines have their reasons above them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_INDENT = "    "
_COLUMNS = 100
_OPEN_QUOTES = " \t;{}#"


@dataclass(frozen=True, slots=True)
class Line:
    """A directive, its `;` included; it may go on over several lines.

    reason: why it is there, for the comment above it. ignored: what `upwire check` would
    note here, and why it is right nevertheless.
    """

    text: str
    reason: str = ""
    ignored: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A directive with other directives between its braces."""

    opening: str
    inside: Sequence[Line | Block]
    reason: str = ""


def render(entries: Sequence[Line | Block]) -> str:
    """Return the lines of a file; every block and every reason gets room above it."""
    return "".join(f"{line}\n" for line in _render(entries, ""))


def wrap_comment(text: str, indent: str = "") -> list[str]:
    """Return a text as lines of comment, none wider than a page but the commands in it.

    A command is a line that begins with a space: it can be copied whole.
    """
    return [line for part in text.split("\n") for line in _wrap(part, f"{indent}# ")]


def quote(path: str) -> str:
    """Return a path as one word of nginx.conf; it has no quotes, backslashes or `$`."""
    return f'"{path}"' if any(sign in _OPEN_QUOTES for sign in path) else path


def _wrap(text: str, start: str) -> list[str]:
    if text.startswith(" "):
        return [start + text]
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=start,
        subsequent_indent=start,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _render(entries: Sequence[Line | Block], indent: str) -> Iterator[str]:
    for number, entry in enumerate(entries):
        if number and (entry.reason or isinstance(entry, Block)):
            yield ""
        if entry.reason:
            yield from wrap_comment(entry.reason, indent)
        if isinstance(entry, Line):
            if entry.ignored:
                yield f"{indent}# upwire: ignore {entry.ignored}"
            yield indent + entry.text.replace("\n", f"\n{indent}{_INDENT}")
        else:
            yield f"{indent}{entry.opening} {{"
            yield from _render(entry.inside, indent + _INDENT)
            yield f"{indent}}}"

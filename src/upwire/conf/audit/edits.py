"""The changes that mend a fault, as places and texts."""

from __future__ import annotations

from collections.abc import Sequence

from upwire.conf.audit.finding import Edit
from upwire.conf.syntax import Directive


def insert_lines(behind: Directive, lines: Sequence[str]) -> tuple[Edit, ...]:
    """Put lines behind a directive."""
    if not lines:
        return ()
    end = behind.end
    return (Edit(end.file, end.line, end.column + 1, "".join(f"\n{line}" for line in lines)),)


def replace_argument(directive: Directive, number: int, text: str) -> tuple[Edit, ...]:
    """Put text in place of an argument; nothing where there is none."""
    if number >= len(directive.arg_positions):
        return ()
    at = directive.arg_positions[number]
    return (Edit(at.file, at.line, at.column, text, replaces_word=True),)


def text_of(line: Directive) -> str:
    """Return a directive as messages show it, in backquotes."""
    return f"`{' '.join((line.name, *map(quote, line.args)))}`"


def quote(text: str) -> str:
    """Return an argument as it is written in a file."""
    if text and not any(sign in text for sign in " \t\r\n;{}\"'\\"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

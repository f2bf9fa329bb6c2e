"""What stands in a configuration and is not nginx's language, put out of the parser's sight.

Placeholders of templates and blocks of Lua are replaced by as many other characters, so that
places stay what they are in the file. Text is latin-1, as conf/syntax.py has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LUA_BLOCK = re.compile(r"\b\w+_by_lua_block[ \t\r\n]*(?:\$\w+[ \t\r\n]*)?\{")
_LUA_TOKEN = re.compile(
    r"--\[(?P<c>=*)\[.*?\](?P=c)\]|--[^\n]*|\[(?P<s>=*)\[.*?\](?P=s)\]"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|(?P<brace>[{}])",
    re.DOTALL,
)
_COMMENT = re.compile(r"(?:^|[ \t;{}])#")
# What a template engine runs, and what it puts in place of a name: Jinja, Go, ERB, envsubst,
# configure, a panel's %name%, or a reader who is told <what> to write.
_STATEMENT = re.compile(
    r"\{%(?:[^%]|%(?!\})){0,500}%\}"
    r"|\{#[^\n]{0,500}?#\}"
    r"|<%(?![=%])(?:[^%]|%(?!>)){0,500}%>"
    r"|\{\{-?[ \t]*(?:if|else|end|range|with|define|template|block|include|[#/!^>]|\$\w+[ \t]*:?=)"
    r"[^\n{}]{0,500}\}\}"
    r"|(?m:^[ \t]*(?:\{\{[^\n{}]{0,500}\}\}|%{1,2}[A-Za-z_]\w{1,60}%{1,2})[ \t]*\r?$)"
)
_VALUE = re.compile(
    r"\{\{[^\n{}]{0,500}\}\}"
    r"|<%=(?:[^%]|%(?!>)){0,500}%>"
    r"|%%[\w.-]{1,100}%%"
    r"|(?<![\w%])%(?![0-9A-Fa-f]{2}%)[A-Za-z_]\w{1,60}%(?!\w)"
    r"|@[A-Z][A-Z0-9_]{0,100}@"
    r"|(?P<named>(?<=[ \t/:@.])<[A-Za-z][\w .-]{0,60}>(?=[ \t/:.;]))"
    r"|\$\{[A-Z_][A-Z0-9_]*(?:[:?+-][^}\n]{0,200})?\}"
    r"|(?P<bare>\$[A-Z][A-Z0-9_]+)\b(?![a-z])"
)
_DEFINING = r"\b(?:set|map|geo|split_clients|js_set|perl_set|auth_request_set)\b[^;{}\n]*"
_FILLING = "_"  # a letter of words; conf/audit takes two in a row for a value that is not known


@dataclass(frozen=True, slots=True)
class Masked:
    """A text that is as long as the file's.

    holes: where placeholders stood, as offsets of start and end. has_statements: the file is one
    of several that a template may give.
    """

    text: str
    holes: tuple[tuple[int, int], ...] = ()
    has_statements: bool = False


def mask(text: str) -> Masked:
    """Return a text with what is foreign in it masked."""
    text = _mask_lua(text)
    holes: list[tuple[int, int]] = []

    def blank(found: re.Match[str]) -> str:
        holes.append(found.span())
        return _blank(found[0])

    def fill(found: re.Match[str]) -> str:
        if _is_comment(text, found.start()):
            return found[0]
        if found["bare"] and _is_defined(found["bare"], text):
            return found[0]
        if found["named"] and _is_quoted(text, found.start()):
            return found[0]
        holes.append(found.span())
        return re.sub(r"[^\n]", _FILLING, found[0])

    text = _STATEMENT.sub(blank, text)
    has_statements = bool(holes)
    text = _VALUE.sub(fill, text)
    return Masked(text, tuple(sorted(holes)), has_statements)


def _mask_lua(text: str) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in _lua_bodies(text):
        pieces += (text[done:start], _blank(text[start:end]))
        done = end
    return "".join((*pieces, text[done:]))


def _lua_bodies(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of what stands between the braces of `*_by_lua_block { ... }`."""
    at = 0
    while (found := _LUA_BLOCK.search(text, at)) is not None:
        at = found.end()
        line_start = text.rfind("\n", 0, found.start()) + 1
        if _COMMENT.search(text, line_start, found.start()):
            continue
        start, at = at, _end_of_lua(text, at)
        yield start, at


def _end_of_lua(text: str, start: int) -> int:
    """Return where the brace that ends a body is, or the text's length."""
    depth = 1
    for token in _LUA_TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token["brace"] or "", 0)
        if depth == 0:
            return token.start()
    return len(text)


def _is_defined(variable: str, text: str) -> bool:
    """Whether the file itself gives "$NAME" a value, so that nginx knows it."""
    return re.search(_DEFINING + re.escape(variable) + r"\b", text) is not None


def _is_comment(text: str, at: int) -> bool:
    """Whether the line of a place is all comment."""
    return text[text.rfind("\n", 0, at) + 1 : at].lstrip().startswith("#")


def _is_quoted(text: str, at: int) -> bool:
    """Whether a quote stands before a place on its line: then it is more likely HTML."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return '"' in line or "'" in line


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)

"""nginx's variables, and texts that contain them, such as "$host:$server_port"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upwire.errors import ConfigError, Problem

Lookup = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable's place in a template; name is without "$", in lower case, or a digit 1 to 9."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text whose variables are filled in for each request."""

    text: str
    parts: tuple[str | Reference, ...]

    @classmethod
    def compile(cls, text: str) -> Template:
        """Split text at its variables; raises ConfigError, without a position, for a bad name."""
        parts: list[str | Reference] = []
        at = 0
        while at < len(text):
            dollar = text.find("$", at)
            if dollar < 0:
                parts.append(text[at:])
                break
            if dollar > at:
                parts.append(text[at:dollar])
            name, at = _read_name(text, dollar + 1)
            parts.append(Reference(name))
        return cls(text, tuple(parts))

    @classmethod
    def literal(cls, text: str) -> Template:
        """Return a template that gives text as it is, "$" included."""
        return cls(text, (text,) if text else ())

    @property
    def variables(self) -> tuple[str, ...]:
        """The names referred to, in their order, repeated where they are."""
        return tuple(part.name for part in self.parts if isinstance(part, Reference))

    def render(self, lookup: Lookup) -> str:
        """Return the text with every variable replaced by lookup(name), None by nothing."""
        return "".join(
            part if isinstance(part, str) else lookup(part.name) or "" for part in self.parts
        )


def _read_name(text: str, start: int) -> tuple[str, int]:
    """Return the name that starts behind a "$", and where the text goes on behind it.

    A capture is one digit. As ngx_http_script_compile() reads it.
    """
    if text[start : start + 1] in tuple("123456789"):
        return text[start], start + 1
    is_braced = text.startswith("{", start)
    at = begin = start + is_braced
    while at < len(text) and (text[at] == "_" or (text[at].isascii() and text[at].isalnum())):
        at += 1
    name = text[begin:at].lower()
    if is_braced:
        if not text.startswith("}", at):
            raise ConfigError(
                [Problem(f'the closing bracket in "{text[begin:at]}" variable is missing')]
            )
        at += 1
    if not name:
        raise ConfigError([Problem("invalid variable name")])
    return name, at

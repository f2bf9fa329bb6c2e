"""Server side includes as octets: finds the commands in a content. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_START = b"<!--#"
_END = b"-->"
_VALUE = rb"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_COMMAND = re.compile(
    rb"<!--#\s*(?P<name>[A-Za-z]+)(?P<parameters>(?:\s+[A-Za-z_]+\s*=\s*(?:"
    + _VALUE
    + rb"))*)\s*-->",
    re.DOTALL,
)
_WHOLE_VALUES = re.compile(
    rb"<!--#\s*[A-Za-z]+(?:\s+[A-Za-z_]+\s*=\s*(?:" + _VALUE + rb"))*", re.DOTALL
)
_OPEN_VALUE = re.compile(rb"\s+[A-Za-z_]+\s*=\s*[\"']")
_PARAMETER = re.compile(rb"([A-Za-z_]+)\s*=\s*(" + _VALUE + rb")", re.DOTALL)
_COMMAND_OCTETS_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """One command; parameters keep their escapes. name is "" for what is no command.

    octets: the command as it was found.
    """

    name: str
    parameters: Mapping[str, str]
    octets: bytes = field(default=b"", compare=False)


class Scanner:
    """Takes a content piece by piece; what may begin a command waits for the next."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> Iterator[bytes | Command]:
        """Yield the text and the commands that are complete now, in their order."""
        octets = self._held + octets
        self._held = b""
        at = 0
        while (start := octets.find(_START, at)) >= 0:
            if start > at:
                yield octets[at:start]
            end = _find_end(octets, start)
            if end is None:
                if len(octets) - start <= _COMMAND_OCTETS_MAX:
                    self._held = octets[start:]
                    return
                end = len(octets)
            yield _read(octets[start:end])
            at = end
        kept = _start_length(octets[at:])
        self._held = octets[len(octets) - kept :] if kept else b""
        if at < len(octets) - kept:
            yield octets[at : len(octets) - kept]

    def finish(self) -> bytes:
        """Return what was held back at the end; a command without its end is dropped."""
        held, self._held = self._held, b""
        return b"" if held.startswith(_START) else held


def _find_end(octets: bytes, start: int) -> int | None:
    """Return the place behind the command that starts there, None where its end has not come.

    "-->" inside a value ends nothing.
    """
    at = start
    if whole := _WHOLE_VALUES.match(octets, start):
        at = whole.end()
        if _OPEN_VALUE.match(octets, at):
            return None
    found = octets.find(_END, at)
    return found + len(_END) if found >= 0 else None


def _read(octets: bytes) -> Command:
    match = _COMMAND.fullmatch(octets)
    if match is None:
        return Command("", {}, octets)
    parameters = {
        name.decode().lower(): value[1:-1].decode("latin-1")
        for name, value in _PARAMETER.findall(match["parameters"])
    }
    return Command(match["name"].decode().lower(), parameters, octets)


def _start_length(octets: bytes) -> int:
    """Return how many octets at the end may begin a command."""
    return next((size for size in range(4, 0, -1) if octets.endswith(_START[:size])), 0)

"""`# upwire: ignore F20 reason`: a finding that its owner knows of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from upwire.conf.audit import Finding, Severity
from upwire.conf.syntax import Position

_COMMENT = re.compile(
    r"#[ \t]*upwire:[ \t]*ignore[ \t]+(?P<faults>F\d+(?:[ \t]*,[ \t]*F\d+)*)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Ignore:
    """One comment: whose findings, and the line that it speaks of."""

    faults: frozenset[str]
    line: int
    at: Position
    octets: int


def drop_ignored(findings: Iterable[Finding], sources: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what no comment silences, and a note for each comment that silences nothing.

    A comment holds for its line, or on a line of its own for the next that is no such comment.
    """
    ignores = [ignore for file, text in sources.items() for ignore in _ignores(file, text)]
    used: set[_Ignore] = set()
    for finding in findings:
        place = (finding.at.file, finding.at.line)
        fitting = [
            ignore
            for ignore in ignores
            if (ignore.at.file, ignore.line) == place and finding.fault in ignore.faults
        ]
        used.update(fitting)
        if not fitting:
            yield finding
    for ignore in ignores:
        if ignore not in used:
            message = f"{', '.join(sorted(ignore.faults))}: there is no such finding to ignore"
            yield Finding("", Severity.NOTE, ignore.at, ignore.octets, message)


def _ignores(file: str, text: str) -> Iterator[_Ignore]:
    if "upwire" not in text:
        return
    waiting: list[_Ignore] = []
    for number, line in enumerate(text.split("\n"), 1):
        found = _COMMENT.search(line)
        is_alone = found is not None and not line[: found.start()].strip()
        if not is_alone:
            yield from (_Ignore(one.faults, number, one.at, one.octets) for one in waiting)
            waiting = []
        if found is not None:
            faults = frozenset(one.strip().upper() for one in found["faults"].split(","))
            at = Position(file, number, found.start() + 1)
            ignore = _Ignore(faults, number, at, len(found[0]))
            if is_alone:
                waiting.append(ignore)
            else:
                yield ignore
    yield from waiting

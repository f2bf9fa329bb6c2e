"""Finds a fault that was seen live in the nginx.conf that made it."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from upwire.conf.audit import audit, make_site
from upwire.conf.audit import finding as audited
from upwire.conf.audit.finding import Severity
from upwire.conf.audit.peer_names import names_at_start
from upwire.conf.audit.refused import fault_of
from upwire.conf.directives import Version
from upwire.conf.model import build
from upwire.conf.syntax import Directive, Tree, load
from upwire.errors import ConfigError, LocalProtocolError
from upwire.probe.evidence import Finding, Place
from upwire.probe.faults import FAULTS

_PLACES_MAX = 3
_SERVER = re.compile(r"nginx/([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


def read_version(server: str) -> Version | None:
    """Return the version that a Server field tells, None where it tells none."""
    found = _SERVER.search(server)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def place(findings: Sequence[Finding], path: str, version: Version | None) -> list[Finding]:
    """Return the findings with the places of the file that have their faults, or suspected ones.

    What only the file shows comes behind them, as notes.

    Raises LocalProtocolError where the file cannot be read.
    """
    tree, sources = _load(path)
    known = list(audit(make_site(tree.directives, version=version, sources=sources)))
    placed = [
        replace(finding, places=_places(finding, known) or _only_line(finding, tree.directives))
        for finding in findings
    ]
    return [*placed, *_unseen(known)]


def refused_lines(path: str) -> list[Place]:
    """Return the lines for which nginx does not start; none where it would.

    Raises LocalProtocolError where the file cannot be read.
    """
    tree, _ = _load(path)
    try:
        build(tree)
    except ConfigError as error:
        places = [
            Place(fault_of(one.message), one.file or path, one.line, one.message)
            for one in error.problems
            if one.severity == "emerg"
        ]
        return places[:_PLACES_MAX]
    return []


def hosts_at_start(path: str) -> dict[str, Place]:
    """Return the names that nginx resolves when it starts, each with the first line that has it.

    Raises LocalProtocolError where the file cannot be read.
    """
    tree, _ = _load(path)
    found: dict[str, Place] = {}
    for line, host in names_at_start(make_site(tree.directives)):
        message = f'host not found in upstream "{host}"'
        found.setdefault(host, Place(fault_of(message), line.file, line.line, message))
    return found


def _load(path: str) -> tuple[Tree, dict[str, str]]:
    sources: dict[str, str] = {}

    def read(name: str) -> bytes:
        octets = Path(name).read_bytes()
        sources[name] = octets.decode("latin-1")
        return octets

    try:
        read(path)
    except OSError as error:
        raise LocalProtocolError(f"--conf {path}: {error.strerror or error}") from error
    return load(path, read, glob.iglob), sources


def _unseen(known: Sequence[audited.Finding]) -> Iterator[Finding]:
    """Yield a note for each fault that no case shows, and the file does."""
    for number in sorted({one.fault for one in known}):
        if number not in FAULTS or not FAULTS[number].is_in_file:
            continue
        first = next(one for one in known if one.fault == number)
        note = Finding(number, Severity.NOTE, f"only the file shows it: {first.message}")
        yield replace(note, places=_places(note, known))


def _only_line(finding: Finding, directives: Iterable[Directive]) -> tuple[Place, ...]:
    """The line of the directive that is likely to blame, where the file has one such line."""
    words = finding.directive.split()
    found = [line for line in _walk(directives) if words == [line.name, *line.args][: len(words)]]
    if not words or len(found) != 1:
        return ()
    text = " ".join((found[0].name, *found[0].args))
    return (Place(finding.fault, found[0].file, found[0].line, text),)


def _walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    for line in directives:
        yield line
        yield from _walk(line.block or ())


def _places(finding: Finding, known: Sequence[audited.Finding]) -> tuple[Place, ...]:
    """The fault's own places first, then those of what it may be as well."""
    numbers = (finding.fault, *finding.suspects) if finding.fault else finding.suspects
    found = sorted(
        (one for one in known if one.fault in numbers), key=lambda one: numbers.index(one.fault)
    )
    return tuple(
        Place(one.fault, one.at.file, one.at.line, one.message) for one in found[:_PLACES_MAX]
    )

"""All that is to be said of one configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from upwire.check.ignoring import drop_ignored
from upwire.check.reading import Reading, on_disk
from upwire.check.refusals import is_other_protocol, refusals
from upwire.check.target import target_version
from upwire.check.unmasking import unmask
from upwire.conf.audit import Finding, Kind, Severity, audit, make_site
from upwire.conf.audit.site import octets_of
from upwire.conf.directives import Version
from upwire.conf.syntax import Directive, Position
from upwire.errors import ConfigError

_OF_THE_LOADER = {"F08", "F36", "F37", "F38", "F39", "F40", "F44", "F77", "F87"}
_ABOUT_WHAT_IS_MISSING = {"F01", "F03", "F20", "F50"}  # told at a proxy_pass, wherever it leads
_FILES_NAMED = {"ssl_certificate", "ssl_certificate_key", "ssl_trusted_certificate", "ssl_dhparam"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, in the order of the files.

    version None: it is not known for which nginx. has_websockets: a location passes Upgrade on.
    is_alone: no other file was said to show where WebSockets go.
    """

    reading: Reading
    findings: tuple[Finding, ...]
    version: Version | None
    kind: Kind
    has_websockets: bool = False
    is_alone: bool = True

    def count(self, severity: Severity) -> int:
        """How many findings there are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)


def judge(reading: Reading, *, nginx: str | None = None, is_alone: bool = True) -> Verdict:
    """Return what the rules, nginx and the limits of what we see say of a configuration.

    nginx: the version on the command line; otherwise the one that the file names, or that runs
    here. is_alone: no other file beside it shows where WebSockets go.
    """
    directives = reading.tree.directives
    findings: list[Finding] = []
    try:
        version = target_version(nginx, reading.sources, is_here=not reading.is_dump)
    except ConfigError as error:
        (problem,) = error.problems
        at = Position(problem.file, problem.line, 1)
        findings.append(Finding("", Severity.NOTE, at, 1, problem.message))
        version = None
    site = make_site(directives, version=version, sources=reading.sources, is_alone=is_alone)
    if not is_other_protocol(reading, site.kind):
        findings += (found for found in audit(site) if not _is_open(found, reading))
    refused = refusals(reading, site.kind, directives, version)
    findings += _not_said_before(refused, findings)
    findings += _unjudged(reading, site.kind)
    shown = map(unmask(reading.sources, reading.masked), findings)
    left = drop_ignored(dict.fromkeys(shown), reading.sources)
    ordered = tuple(sorted(left, key=_order(reading)))
    return Verdict(reading, ordered, version, site.kind, bool(site.websockets), is_alone)


def offset_of(text: str, line: int, column: int) -> int:
    """Return where a place is in a text; line and column count from 1."""
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    return at + column - 1


def _order(reading: Reading) -> Callable[[Finding], tuple[int, int, int, int]]:
    files = {name: number for number, name in enumerate(reading.sources)}

    def key(finding: Finding) -> tuple[int, int, int, int]:
        at = finding.at
        return files.get(at.file, len(files)), at.line, at.column, -finding.severity

    return key


def _not_said_before(refused: Iterable[Finding], said: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what nginx refuses and no rule has a better word for."""
    lines = {(one.at.file, one.at.line) for one in said if one.fault in _OF_THE_LOADER}
    for finding in refused:
        is_error = finding.severity is Severity.ERROR
        if not (is_error and (finding.at.file, finding.at.line) in lines):
            yield finding


def _is_open(finding: Finding, reading: Reading) -> bool:
    """Whether a finding blames a value that a template is yet to be given."""
    masked = reading.masked.get(finding.at.file)
    if masked is None or not masked.holes:
        return False
    start = offset_of(reading.sources[finding.at.file], finding.at.line, finding.at.column)
    line = masked.text[start : start + finding.octets]
    if line.startswith("proxy_pass") and finding.fault in _ABOUT_WHAT_IS_MISSING:
        return False
    return any(a < start + finding.octets and b > start for a, b in masked.holes)


def _unjudged(reading: Reading, kind: Kind) -> Iterator[Finding]:
    """Yield a note for each thing that could not be looked at."""
    told: set[str] = set()
    for line, error in reading.unread_includes():
        if line.args[0] not in told:
            told.add(line.args[0])
            reason = (error.strerror or str(error)).lower()
            message = f"what {line.args[0]} holds was not judged: {reason}"
            yield Finding("", Severity.NOTE, line.position, octets_of(line), message)
    for file, masked in reading.masked.items():
        if masked.holes:
            yield _template_note(file, masked.text, masked.holes)
    if kind is Kind.WHOLE and (missing := list(_missing_files(reading))):
        first = missing[0]
        message = f"{first.args[0]} is not here: whether it loads was not judged"
        if len(missing) > 1:
            message = f"{message}, nor {len(missing) - 1} more"
        yield Finding("", Severity.NOTE, first.position, octets_of(first), message)


def _template_note(file: str, text: str, holes: tuple[tuple[int, int], ...]) -> Finding:
    start, end = holes[0]
    line = text.count("\n", 0, start) + 1
    at = Position(file, line, start - text.rfind("\n", 0, start))
    count = "1 placeholder" if len(holes) == 1 else f"{len(holes)} placeholders"
    message = f"this is a template: what its {count} will hold was not judged"
    return Finding("", Severity.NOTE, at, end - start, message)


def _missing_files(reading: Reading) -> Iterator[Directive]:
    for line in _walk(reading.tree.directives):
        if line.name in _FILES_NAMED and line.args and "$" not in line.args[0]:
            name = line.args[0]
            is_a_file = not name.startswith(("data:", "engine:", "store:"))
            if is_a_file and not _is_there(reading.below(name)):
                yield line


def _is_there(name: str) -> bool:
    try:
        os.stat(on_disk(name))
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    for line in directives:
        yield line
        yield from _walk(line.block or ())

"""Findings for people: each with its line of the file, as a good compiler prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from upwire.check.target import show_version
from upwire.check.verdict import Verdict
from upwire.conf.audit import Finding, Severity
from upwire.errors import printable

_TAB = "    "
_WIDTH_MAX = 160  # of a line that is shown: minified files have one
_PLURALS = {
    Severity.ERROR: ("error", "errors"),
    Severity.SECURITY: ("security fault", "security faults"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.NOTE: ("note", "notes"),
}
_COLOURS = {
    Severity.ERROR: "\x1b[1;31m",
    Severity.SECURITY: "\x1b[1;35m",
    Severity.WARNING: "\x1b[1;33m",
    Severity.NOTE: "\x1b[1;36m",
}
_DIM, _PLAIN = "\x1b[34m", "\x1b[0m"


def report(verdict: Verdict, *, is_coloured: bool = False) -> Iterator[str]:
    """Yield the lines to print for one configuration, with the counts at the end."""
    for finding in verdict.findings:
        yield from _finding_lines(finding, verdict.reading.sources, is_coloured)
        yield ""
    yield summary(verdict)


def summary(verdict: Verdict) -> str:
    """Return the last line: how much was found, and for which nginx."""
    counts = [
        f"{count} {_PLURALS[severity][count > 1]}"
        for severity in sorted(Severity, reverse=True)
        if (count := verdict.count(severity))
    ]
    version = verdict.version
    judged = f"nginx {show_version(version)}" if version else "any nginx"
    return f"{show_text(verdict.reading.path)}: {', '.join(counts) or 'no faults'} (for {judged})"


def has_reached(verdicts: Iterable[Verdict], level: Severity) -> bool:
    """Whether anything found is at least so bad."""
    return any(one.severity >= level for verdict in verdicts for one in verdict.findings)


def show_text(text: str) -> str:
    """Return text as one line that a terminal may show.

    It is latin-1 where it comes from a file, octets of UTF-8; what we write has no such octets.
    """
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    return printable(text.replace("\t", _TAB))


def span_of(finding: Finding, line: str) -> tuple[int, int]:
    """Return start and end of a finding on its line, in characters of show_text()."""
    start = finding.at.column - 1
    return len(show_text(line[:start])), len(show_text(line[: start + finding.octets].rstrip("\r")))


def line_of(finding: Finding, sources: Mapping[str, str]) -> str:
    """Return the line of the file that a finding is on."""
    lines = sources.get(finding.at.file, "").split("\n")
    return lines[finding.at.line - 1].rstrip("\r") if finding.at.line <= len(lines) else ""


def _finding_lines(
    finding: Finding, sources: Mapping[str, str], is_coloured: bool
) -> Iterator[str]:
    at = finding.at
    colour = _COLOURS[finding.severity] if is_coloured else ""
    dim, plain = (_DIM, _PLAIN) if is_coloured else ("", "")
    margin = " " * len(str(at.line))
    label = f"{finding.severity.name.lower()}{f'[{finding.fault}]' if finding.fault else ''}"
    yield f"{colour}{label}{plain}: {show_text(finding.message)}"
    yield f"{margin}{dim}-->{plain} {show_text(at.file)}:{at.line}:{at.column}"
    line, marks = _marked_line(finding, line_of(finding, sources))
    yield f"{margin} {dim}|{plain}"
    yield f"{dim}{at.line} |{plain} {line}"
    yield f"{margin} {dim}|{plain} {colour}{marks}{plain}"
    for name, lines in _explanations(finding):
        indent = margin + " " * len(f" = {name}: ")
        first, *others = lines
        yield f"{margin} {dim}={plain} {name}: {show_text(first)}"
        yield from (f"{indent}{show_text(other)}" for other in others)


def _marked_line(finding: Finding, line: str) -> tuple[str, str]:
    """Return a line of the file and the marks below it, cut around them where it is long."""
    shown = show_text(line)
    start, end = span_of(finding, line)
    cut = max(0, start - _WIDTH_MAX // 4) if len(shown) > _WIDTH_MAX else 0
    shown = shown[cut : cut + _WIDTH_MAX]
    count = max(1, min(end, cut + len(shown)) - start)
    return shown, " " * (start - cut) + "^" * count


def _explanations(finding: Finding) -> Iterator[tuple[str, Sequence[str]]]:
    if finding.effect:
        yield "effect", (finding.effect,)
    for reason in finding.why:
        yield "why", (reason,)
    if finding.mend:
        yield "mend", finding.mend.split("\n")

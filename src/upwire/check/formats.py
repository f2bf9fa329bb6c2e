"""Findings for programs: JSON, SARIF 2.1.0, and the annotations of GitHub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from upwire.check.report import line_of, show_text
from upwire.check.target import show_version
from upwire.check.verdict import Verdict
from upwire.conf.audit import Edit, Finding, Severity
from upwire.conf.audit.faults import FAULTS
from upwire.version import __version__

Value = str | int | None | Sequence["Value"] | Mapping[str, "Value"]
"""What JSON can hold, as far as we need it."""

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_OWN_RULE = "upwire"  # of what is no fault of the list: what could not be judged
_SARIF_LEVELS = {Severity.NOTE: "note", Severity.ERROR: "error"}  # the others: "warning"
_GITHUB_COMMANDS = {Severity.NOTE: "notice", Severity.ERROR: "error"}


def to_json(verdicts: Sequence[Verdict]) -> str:
    """Return all that is known of the findings, one object for each configuration."""
    return json.dumps([_as_object(verdict) for verdict in verdicts], indent=2)


def to_sarif(verdicts: Sequence[Verdict]) -> str:
    """Return one run of SARIF 2.1.0 (OASIS), columns counted in code points."""
    found = [(one, verdict.reading.sources) for verdict in verdicts for one in verdict.findings]
    rules = [_sarif_rule(rule) for rule in sorted({_rule(one) for one, _ in found})]
    driver: Value = {"name": "upwire check", "version": __version__, "rules": rules}
    run: Value = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, sources) for finding, sources in found],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def to_github(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a workflow command for each finding, which GitHub shows beside its line."""
    for verdict in verdicts:
        for finding in verdict.findings:
            start, end = _code_points(line_of(finding, verdict.reading.sources), finding)
            place = {
                "file": show_text(finding.at.file),
                "line": str(finding.at.line),
                "col": str(start),
                "endColumn": str(max(end - 1, start)),
                "title": f"{finding.fault} {show_text(finding.message)}".strip(),
            }
            properties = ",".join(f"{name}={_escape(text, ',:')}" for name, text in place.items())
            command = _GITHUB_COMMANDS.get(finding.severity, "warning")
            yield f"::{command} {properties}::{_escape(_text(finding))}"


def _as_object(verdict: Verdict) -> Value:
    sources = verdict.reading.sources
    return {
        "path": show_text(verdict.reading.path),
        "nginx": show_version(verdict.version) if verdict.version else None,
        "counts": {severity.name.lower(): verdict.count(severity) for severity in Severity},
        "findings": [_finding_object(finding, sources) for finding in verdict.findings],
    }


def _finding_object(finding: Finding, sources: Mapping[str, str]) -> Value:
    return {
        "fault": finding.fault or None,
        "severity": finding.severity.name.lower(),
        "file": show_text(finding.at.file),
        "line": finding.at.line,
        "column": finding.at.column,
        "octets": finding.octets,
        "source": show_text(line_of(finding, sources)),
        "message": show_text(finding.message),
        "effect": show_text(finding.effect),
        "why": [show_text(reason) for reason in finding.why],
        "mend": [show_text(line) for line in finding.mend.split("\n")] if finding.mend else [],
        "edits": [_edit_object(edit) for edit in finding.edits],
    }


def _edit_object(edit: Edit) -> Value:
    return {
        "file": show_text(edit.file),
        "line": edit.line,
        "column": edit.column,
        "replaces_word": edit.replaces_word,
        "text": edit.text,
    }


def _sarif_rule(rule: str) -> Value:
    title = FAULTS[rule].title if rule in FAULTS else "what could not be judged"
    return {"id": rule, "shortDescription": {"text": title}}


def _sarif_result(finding: Finding, sources: Mapping[str, str]) -> Value:
    line = line_of(finding, sources)
    start, end = _code_points(line, finding)
    region: Value = {"startLine": finding.at.line, "startColumn": start, "endColumn": end}
    return {
        "ruleId": _rule(finding),
        "level": _SARIF_LEVELS.get(finding.severity, "warning"),
        "message": {"text": f"{show_text(finding.message)}\n{_text(finding)}".strip()},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(finding.at.file)},
                    "region": region,
                }
            }
        ],
    }


def _code_points(line: str, finding: Finding) -> tuple[int, int]:
    """Return the first column of a finding and the one behind it, in characters of the file."""
    start = finding.at.column - 1
    before, behind = line[:start], line[: start + finding.octets]
    columns = [
        len(text.encode("latin-1").decode("utf-8", "replace")) + 1 for text in (before, behind)
    ]
    return columns[0], max(columns)


def _rule(finding: Finding) -> str:
    return finding.fault or _OWN_RULE


def _text(finding: Finding) -> str:
    """Return what is to be said below the message, in lines."""
    mend = finding.mend.split("\n") if finding.mend else []
    lines = [finding.effect, *finding.why, *mend]
    return "\n".join(show_text(line) for line in lines if line) or show_text(finding.message)


def _uri(file: str) -> str:
    """Return a file's name as a reference (RFC 3986), an absolute one with its scheme."""
    octets = file.encode("latin-1")
    if octets.startswith(b"/"):
        return "file://" + quote(octets)
    return quote(os.path.normpath(octets))


def _escape(text: str, more: str = "") -> str:
    """Escape what a workflow command cannot hold."""
    for sign in "%\r\n" + more:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text

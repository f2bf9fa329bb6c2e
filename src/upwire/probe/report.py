"""Shows a probe: lines of progress, a summary that fits a screen, or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from upwire.conf.audit.finding import Severity
from upwire.errors import printable
from upwire.probe.asking import Answer
from upwire.probe.evidence import Evidence, Finding
from upwire.probe.faults import FAULTS
from upwire.probe.gathering import Step
from upwire.wire.http1 import RequestHead, ResponseHead

_LINE_CHARACTERS = 160
_TITLE_CHARACTERS = 38
_SECRET_FIELDS = ("authorization", "proxy-authorization", "cookie")
_HIDDEN = "(not shown)"  # what is probed is pasted into questions


def show_step(step: Step) -> str:
    """Return a step's line: verdict, time, title, detail."""
    verdict = {True: "ok", False: "FAIL", None: ""}[step.is_right]
    took = "" if step.took_s is None else f"{step.took_s * 1000:.1f} ms"
    return f"{verdict:<4} {took:>9}  {step.title:<{_TITLE_CHARACTERS}} {printable(step.detail)}"


def show_heads(answer: Answer) -> Iterator[str]:
    """Yield the fields of a request as they were sent, and those of its answer as they came."""
    yield "sent (>), seen by the backend (=), answered (<):"
    yield from (f"  > {_cut(line)}" for line in _lines(answer.request))
    if answer.received is not None:
        yield from (f"  = {_cut(line)}" for line in _lines(answer.received.head))
    if answer.response is not None:
        yield from (f"  < {_cut(line)}" for line in _lines(answer.response))


def show_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what is wrong, and how it is mended."""
    for finding in findings:
        number = f"[{finding.fault}]" if finding.fault else ""
        line = f"{finding.severity.name.lower()}{number}: {printable(finding.message)}"
        if finding.severity is Severity.NOTE:
            where = "".join(f" ({one.file}:{one.line})" for one in finding.places[:1])
            line += printable(where)
            yield f"{line}. {finding.mend}" if finding.mend else line
            continue
        yield line
        if finding.suspects and not finding.places:
            yield f"  it may be as well: {' '.join(finding.suspects)}"
        for place in finding.places:
            yield f"  {printable(f'{place.file}:{place.line}: {place.fault}: {place.message}')}"
        if finding.directive:
            yield f"  likely: {finding.directive}"
        if finding.mend:
            yield f"  mend: {finding.mend}"


def show_counts(findings: Sequence[Finding], connections: int, took_s: float) -> str:
    """Return the last line."""
    counts = Counter(finding.severity for finding in findings)
    parts = [_count(counts[one], one) for one in sorted(counts, reverse=True)]
    found = ", ".join(parts) or "nothing wrong"
    return f"{found}; {connections} connections, {took_s:.1f} s"


def to_json(
    evidence: Evidence, steps: Sequence[Step], findings: Sequence[Finding], connections: int
) -> str:
    """Return the same facts for a program."""
    return json.dumps(
        {
            "url": str(evidence.asked.url),
            "connections": connections,
            "steps": [
                {
                    "title": step.title,
                    "detail": step.detail,
                    "seconds": step.took_s,
                    "right": step.is_right,
                }
                for step in steps
            ],
            "cases": {name: _json_answer(answer) for name, answer in evidence.front.items()},
            "backend": {name: _json_answer(answer) for name, answer in evidence.backend.items()},
            "findings": [_json_finding(finding) for finding in findings],
        },
        indent=2,
    )


def is_clean(findings: Sequence[Finding]) -> bool:
    """Whether nothing is worse than a note."""
    return all(finding.severity is Severity.NOTE for finding in findings)


def _count(number: int, severity: Severity) -> str:
    name = severity.name.lower()
    is_plural = number > 1 and severity is not Severity.SECURITY
    return f"{number} {name}s" if is_plural else f"{number} {name}"


def _lines(head: RequestHead | ResponseHead) -> Iterator[str]:
    version = f"HTTP/{head.version[0]}.{head.version[1]}"
    if isinstance(head, RequestHead):
        yield f"{head.method} {head.target} {version}"
    else:
        yield f"{version} {head.status} {head.reason}"
    for name, value in head.headers.items():
        is_secret = isinstance(head, RequestHead) and name.lower() in _SECRET_FIELDS
        yield f"{name}: {_HIDDEN if is_secret else value}"


def _cut(line: str) -> str:
    shown = printable(line)
    return shown if len(shown) <= _LINE_CHARACTERS else f"{shown[: _LINE_CHARACTERS - 1]}…"


def _json_answer(answer: Answer) -> dict[str, object]:
    return {
        "status": answer.status,
        "error": answer.error,
        "seconds": answer.took_s,
        "sent": list(_lines(answer.request)),
        "answer": [] if answer.response is None else list(_lines(answer.response)),
        "backend_saw": [] if answer.received is None else list(_lines(answer.received.head)),
    }


def _json_finding(finding: Finding) -> dict[str, object]:
    return {
        "fault": finding.fault,
        "severity": finding.severity.name.lower(),
        "message": finding.message,
        "suspects": list(finding.suspects),
        "case": FAULTS[finding.fault].case if finding.fault else "",
        "directive": finding.directive,
        "mend": finding.mend,
        "places": [
            {"fault": one.fault, "file": one.file, "line": one.line, "message": one.message}
            for one in finding.places
        ],
    }

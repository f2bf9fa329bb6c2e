"""Puts texts before the checker as files."""

from __future__ import annotations

from pathlib import Path

from upwire.check.reading import read
from upwire.check.verdict import Verdict, judge

PLACE = "nginx.conf"


def judge_text(text: str, *, nginx: str | None = "1.22") -> Verdict:
    """Return what the checker says of a text that is in no file."""
    return judge(read(PLACE, instead={PLACE: text}), nginx=nginx)


def judge_file(path: Path, *, nginx: str = "1.22") -> Verdict:
    """Return what the checker says of a file."""
    return judge(read(str(path)), nginx=nginx)


def told(verdict: Verdict) -> list[str]:
    """Return the findings as `LINE:COLUMN FAULT severity`; "-" where it is no fault of the list."""
    return [
        f"{one.at.line}:{one.at.column} {one.fault or '-'} {one.severity.name.lower()}"
        for one in verdict.findings
    ]


def messages(verdict: Verdict) -> list[str]:
    """Return what the findings say, without more."""
    return [one.message for one in verdict.findings]

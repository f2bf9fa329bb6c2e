"""An existing configuration, with what `upwire check --fix` mends."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from upwire.check.mending import mend
from upwire.check.reading import read
from upwire.check.verdict import Verdict, judge
from upwire.conf.audit import Severity


def mended_text(path: str, *, nginx: str | None = None) -> str:
    """Return a file's text with its faults mended, as surrogateescape has octets that are no UTF-8.

    What is left, here or in included files, is told on standard error. nginx: the version to mend
    for. Raises LocalProtocolError where the file cannot be read.
    """

    def look(instead: Mapping[str, str] | None = None) -> Verdict:
        return judge(read(path, instead=instead), nginx=nginx)

    verdict = look()
    sources = verdict.reading.sources
    mended = mend(verdict, lambda texts: look({**sources, **texts}))
    name = verdict.reading.path
    _tell_rest(mended.verdict, has_others=any(file != name for file in mended.texts))
    text = mended.texts.get(name, sources[name])
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _tell_rest(verdict: Verdict, *, has_others: bool) -> None:
    left = sum(finding.severity > Severity.NOTE for finding in verdict.findings)
    if left:
        faults = "1 fault is" if left == 1 else f"{left} faults are"
        print(f"upwire config: {faults} left, which `upwire check` explains", file=sys.stderr)
    if has_others:
        print(
            "upwire config: included files have faults as well, which `upwire check --fix` mends",
            file=sys.stderr,
        )

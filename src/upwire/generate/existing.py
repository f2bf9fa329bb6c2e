"""An existing configuration, with what `upwire check --fix` mends."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from upwire.check.mending import mend
from upwire.check.reading import read, refuse_others
from upwire.check.verdict import Verdict, judge
from upwire.conf.audit import Severity


def mended(path: str, *, nginx: str | None = None) -> bytes:
    """Return a file with its faults mended, and the same octets everywhere else.

    What is left, here or in included files, is told on standard error. nginx: the version to mend
    for. Raises LocalProtocolError where the file cannot be read, or is none of nginx's.
    """

    def look(instead: Mapping[str, str] | None = None) -> Verdict:
        return judge(read(path, instead=instead), nginx=nginx)

    verdict = look()
    refuse_others([verdict.reading])
    sources = verdict.reading.sources
    found = mend(verdict, lambda texts: look({**sources, **texts}))
    name = verdict.reading.path
    _tell_rest(found.verdict, has_others=any(file != name for file in found.texts))
    return found.texts.get(name, sources[name]).encode("latin-1")


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

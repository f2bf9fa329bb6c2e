"""A template's own words put back where findings speak of what was masked in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from upwire.check.masking import Masked
from upwire.conf.audit import Finding

_RUN = re.compile(r"_{3,}")  # the shortest placeholder is @X@
_UNSURE = "..."


def unmask(
    sources: Mapping[str, str], masked: Mapping[str, Masked]
) -> Callable[[Finding], Finding]:
    """Return what shows the placeholders of these files in a finding as they are written.

    Where several are as long as the one that is meant, it shows that one is left out. Edits that
    would write a placeholder are dropped: what is put in may need other quotes there.
    """
    words: dict[int, set[str]] = {}
    for file, one in masked.items():
        for start, end in one.holes:
            words.setdefault(end - start, set()).add(sources[file][start:end])

    def put_back(found: re.Match[str]) -> str:
        fitting = words.get(len(found[0]), set())
        return next(iter(fitting)) if len(fitting) == 1 else _UNSURE

    def show(text: str) -> str:
        return _RUN.sub(put_back, text)

    def unmask_one(finding: Finding) -> Finding:
        is_writable = not any(_RUN.search(edit.text) for edit in finding.edits)
        return replace(
            finding,
            message=show(finding.message),
            effect=show(finding.effect),
            why=tuple(map(show, finding.why)),
            mend=show(finding.mend),
            edits=finding.edits if is_writable else (),
        )

    return unmask_one if words else lambda finding: finding

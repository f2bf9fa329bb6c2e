"""A fault of a configuration whose mend lies outside of the file, or is not plain from it."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.errors import Problem


@dataclass(frozen=True, slots=True)
class MendableProblem(Problem):
    """A problem in nginx's words, and in one line of ours how it is mended."""

    mend: str = ""

"""`try_files`."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class TryFiles:
    """Paths that are looked for, each with whether it is to be a directory, and what follows them.

    status: the answer where none is there, None where fallback, a path or "@name", is gone on with.
    """

    paths: tuple[tuple[Template, bool], ...]
    fallback: Template
    status: int | None = None

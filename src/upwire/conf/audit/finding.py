"""What the checker says: which fault, how bad, where, what it does to whom, and how to mend it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from upwire.conf.syntax import Position


class Severity(enum.IntEnum):
    """How bad a fault is."""

    NOTE = 0  # worth knowing
    WARNING = 1  # breaks for some clients, after a time, at a reload, or under load
    SECURITY = 2  # lets somebody do what he should not
    ERROR = 3  # no WebSocket can open, or the file does not load


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file: text is put at a place; new lines are as deep in as the one there.

    replaces_word: the word that begins there goes, its quotes included.
    """

    file: str
    line: int
    column: int
    text: str
    replaces_word: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault at one place.

    fault: its number, such as "F01"; docs/faults.md explains each. octets: how far the place
    reaches on its line. effect: what happens to the user. why: how it came to be so, a line each.
    mend: the lines to write, or what to do. edits: what `--fix` does; none where that is no safe
    change.
    """

    fault: str
    severity: Severity
    at: Position
    octets: int
    message: str
    effect: str = ""
    why: tuple[str, ...] = ()
    mend: str = ""
    edits: tuple[Edit, ...] = ()

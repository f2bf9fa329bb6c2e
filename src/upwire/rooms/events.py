"""What a member is told of a room, and who puts that into messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upwire.rooms.home import Info, Position, Publication


@dataclass(frozen=True, slots=True)
class Published:
    """A publication; position is behind it."""

    publication: Publication
    position: Position


@dataclass(frozen=True, slots=True)
class Joined:
    """Another member has entered."""

    member_id: str
    info: Info


@dataclass(frozen=True, slots=True)
class Left:
    """Another member has left."""

    member_id: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The home cannot be reached: what other nodes publish does not come."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The home is back, and position is where the room is.

    is_complete: all that was missed follows; otherwise what is still there.
    """

    position: Position
    is_complete: bool


Event = Published | Joined | Left | Interrupted | Resumed

Encoder = Callable[[str, Event], str | bytes | None]
"""Returns the message that tells an event of the room with that name; None: it is not told.

Members with the same encoder get the same frame, so it is called once for all of them.
"""

"""The home of rooms: who numbers and keeps publications, and knows the members of all nodes.

A node has one `Home` and subscribes to each room once, however many of its members are there.
Offsets and epochs are Centrifugo's: an offset counts the publications of a room from 1, and a new
epoch says that the counting has begun anew, so that older positions mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from upwire.errors import LocalProtocolError

Info = Mapping[str, object]
"""What a member shows of itself to the others; what JSON can carry."""

IDEMPOTENCY_TTL_S = 300.0
"""How long a home knows an idempotency_key, unless the room has IDEMPOTENCY_KEYS later ones."""

IDEMPOTENCY_KEYS = 10_000

_MOST_KEPT = 10**9  # in milliseconds, these seconds are a number that Lua holds exactly


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a room: behind the publication of that offset; 0 is before the first one."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Publication:
    """One message of a room.

    data: str is sent as text, bytes as binary.
    key: what it is the latest state of; a later one of the same key may take its place.
    publisher: the id of the member that published it, empty where none did.
    offset: its number in the room; 0 until the home has given it one.
    """

    data: str | bytes
    key: str = ""
    publisher: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How much of a room is kept: the latest messages, none older than ttl_s seconds.

    Raises LocalProtocolError for less than 0, and for more than 10**9.
    """

    messages: int = 100
    ttl_s: float = 300.0

    def __post_init__(self) -> None:
        for name, value in (("messages", self.messages), ("ttl_s", self.ttl_s)):
            if not 0 <= value <= _MOST_KEPT:
                raise LocalProtocolError(f"{name} of a history is 0 to 10**9, not {value}")


@dataclass(frozen=True, slots=True)
class History:
    """A part of what a room keeps, oldest first.

    position: that of the room's latest publication, kept or not.
    is_complete: publications has every one behind the position that was asked for (without one:
    of the epoch) up to `position`; otherwise some are gone, or a limit left them out, or the
    position is of another epoch: then publications are what is kept of the present one.
    """

    position: Position
    publications: tuple[Publication, ...] = ()
    is_complete: bool = True


class Listener(Protocol):
    """A node's side of one room. Its calls come in the loop, do not wait, and raise nothing."""

    def published(self, publication: Publication, position: Position) -> None:
        """Take the next publication: in the order of offsets, each once."""

    def joined(self, member_id: str, info: Info) -> None:
        """Take that a member, of whatever node, has entered."""

    def left(self, member_id: str) -> None:
        """Take that a member has left, or its node is gone."""

    def interrupted(self) -> None:
        """Take that the home cannot be reached: what others publish is missed from now on."""

    def resumed(self, history: History) -> None:
        """Take that it can again. history: what was missed since the last position, if complete.

        Publications behind `history.position` follow by `published()`.
        """


class Home(Protocol):
    """Where rooms live.

    Each call may raise HomeUnreachable, save close(), unsubscribe() and leave(), which then do
    what they can alone. A room needs no creation, and is forgotten some time after its last use.
    """

    async def open(self) -> None:
        """Make ready; is called before anything else."""

    async def close(self) -> None:
        """Leave all rooms and release everything. A second time this does nothing."""

    async def publish(
        self,
        room: str,
        publication: Publication,
        *,
        keep: HistoryLimits,
        idempotency_key: str = "",
    ) -> Position:
        """Number a publication, keep it, pass it to the listeners of all nodes.

        With an idempotency_key that the room has seen not long ago, nothing is published, and the
        position of that time is returned. After HomeUnreachable it is not known whether it was
        published: repeat with the same key.
        """

    async def history(
        self, room: str, *, since: Position | None = None, limit: int | None = None
    ) -> History:
        """Return what is kept behind `since`, the oldest `limit` of it; without, the latest."""

    async def position(self, room: str) -> Position:
        """Return where the room is now."""

    async def subscribe(self, room: str, listener: Listener) -> Position:
        """Tell listener of the room from now on; return behind which position.

        A room has one listener of a node at a time. Where this raises, it has none.
        """

    async def unsubscribe(self, room: str) -> None:
        """Tell the room's listener nothing more. Without one this does nothing."""

    async def enter(self, room: str, member_id: str, info: Info) -> None:
        """Put a member of this node among the room's, and tell all listeners, its own too.

        member_id is unique among all nodes. A second time its info is replaced.
        """

    async def leave(self, room: str, member_id: str) -> None:
        """Take a member of this node out, and tell all listeners. Without one: nothing."""

    async def presence(self, room: str) -> Mapping[str, Info]:
        """Return the members of all nodes by their ids."""

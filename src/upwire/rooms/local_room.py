"""`LocalRoom`: a node's side of one room, which listens to the home for all its members here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from upwire.errors import RoomRefused
from upwire.net.websocket import WebSocket
from upwire.rooms.audience import Audience, Member
from upwire.rooms.events import Encoder, Event, Interrupted, Joined, Left, Published, Resumed
from upwire.rooms.home import History, Home, Info, Position, Publication
from upwire.rooms.limits import RoomLimits
from upwire.rooms.metrics import Counters
from upwire.rooms.outbox import Outbox
from upwire.rooms.turns import Turns


class LocalRoom:
    """The `Listener` of a room.

    holders: how many have joined, or are about to; at 0 nobody needs it.
    position: behind the latest publication that was told to the members.
    """

    def __init__(self, name: str, home: Home, limits: RoomLimits, counters: Counters) -> None:
        self.name = name
        self.limits = limits
        self.holders = 0
        self.position = Position("", 0)
        self._home = home
        self._counters = counters
        self._members: dict[WebSocket, Member] = {}
        self._audiences: dict[Encoder | None, Audience] = {}
        self._turns = Turns()  # one subscribes or unsubscribes at a time
        self._is_subscribed = False

    def __len__(self) -> int:
        return len(self._members)

    def outboxes(self) -> Iterator[Outbox]:
        """Yield those that are in use."""
        for audience in self._audiences.values():
            yield from audience.outboxes()

    async def subscribe(self) -> None:
        """Listen to the home, unless that is done already. Raises HomeUnreachable."""
        async with self._turns.attempt():
            if not self._is_subscribed:
                self._is_subscribed = True  # to be unsubscribed, however this ends
                try:
                    self._take_position(await self._home.subscribe(self.name, self))
                except BaseException:
                    await self._unsubscribe()
                    raise

    async def unsubscribe_unused(self) -> bool:
        """Listen no more if nobody is here; return whether that is so at the end."""
        async with self._turns.lock:
            if not self.holders and self._is_subscribed:
                await self._unsubscribe()
        return not self.holders

    async def _unsubscribe(self) -> None:
        self._is_subscribed = False
        await self._home.unsubscribe(self.name)

    # Members

    def admit(self, member: Member) -> None:
        """Take a member in, and hold what comes for it. Raises RoomRefused at a limit."""
        if member.ws in self._members:
            raise RoomRefused(f"already in room {self.name!r}", reason="joined")
        if self.limits.members is not None and len(self._members) >= self.limits.members:
            raise RoomRefused(f"room {self.name!r} is full", reason="limit")
        self._members[member.ws] = member
        audience = self._audiences.get(member.encode)
        if audience is None:
            audience = Audience(self.name, member.encode, self.limits, self._counters)
            self._audiences[member.encode] = audience
        audience.add(member)

    def dismiss(self, member: Member) -> bool:
        """Send nothing more to a member; return whether it was one."""
        if self._members.get(member.ws) is not member:
            return False
        del self._members[member.ws]
        audience = self._audiences[member.encode]
        audience.remove(member)
        if not audience:
            del self._audiences[member.encode]
        return True

    def dismiss_all(self) -> None:
        """Send nothing more to anybody."""
        for member in list(self._members.values()):
            self.dismiss(member)

    def has(self, ws: WebSocket) -> bool:
        """Whether a WebSocket is a member."""
        return ws in self._members

    def recover(self, member: Member, history: History) -> None:
        """Give a member that was held until now what it missed, if all of that is there."""
        if not self.has(member.ws):
            return  # it was dismissed meanwhile
        missed = history if history.is_complete else replace(history, publications=())
        self._audiences[member.encode].recover(member, missed, self.position)

    # What the home tells

    def published(self, publication: Publication, position: Position) -> None:
        self.position = position
        self._tell(Published(publication, position))

    def joined(self, member_id: str, info: Info) -> None:
        self._tell(Joined(member_id, info))

    def left(self, member_id: str) -> None:
        self._tell(Left(member_id))

    def interrupted(self) -> None:
        self._counters.interruptions += 1
        self._tell(Interrupted())

    def resumed(self, history: History) -> None:
        self._tell(Resumed(history.position, history.is_complete))
        for publication in history.publications:
            self.published(publication, Position(history.position.epoch, publication.offset))
        self.position = history.position

    def _take_position(self, position: Position) -> None:
        """Take where the room was as we began to listen, unless it was told more since."""
        if self.position.epoch != position.epoch or self.position.offset < position.offset:
            self.position = position

    def _tell(self, event: Event) -> None:
        for audience in list(self._audiences.values()):
            audience.tell(event)

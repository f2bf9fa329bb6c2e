"""`Audience`: the members of a room, on this node, that get the same octets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

from upwire.net.websocket import PreparedMessage, WebSocket, send_to_all
from upwire.rooms.events import Encoder, Event, Joined, Left, Published
from upwire.rooms.home import History, Info, Position
from upwire.rooms.limits import RoomLimits
from upwire.rooms.metrics import Counters
from upwire.rooms.missed import MissedMessages
from upwire.rooms.outbox import Outbox
from upwire.wire.websocket import State

logger = logging.getLogger("upwire.rooms")


class Member:
    """One WebSocket in a room. outbox: what waits for it, None while it keeps up."""

    __slots__ = ("encode", "id", "info", "on_lost", "outbox", "ws")

    def __init__(
        self,
        ws: WebSocket,
        info: Info,
        encode: Encoder | None,
        on_lost: Callable[[int], None] | None,
    ) -> None:
        self.ws = ws
        self.id = ws.id
        self.info = info
        self.encode = encode
        self.on_lost = on_lost
        self.outbox: Outbox | None = None


class Audience:
    """Members with one encoder, None for publications as they are.

    Those who keep up are written to in one loop, with one frame; an outbox has what waits for
    each of the others.
    """

    __slots__ = ("_behind", "_counters", "_encode", "_limits", "_missed", "_ready", "_room")

    def __init__(
        self, room: str, encode: Encoder | None, limits: RoomLimits, counters: Counters
    ) -> None:
        self._room = room
        self._encode = encode
        self._limits = limits.outbox
        self._missed = MissedMessages(self._prepare, limits.recovery_messages)
        self._counters = counters
        self._ready: dict[WebSocket, Member] = {}
        self._behind: dict[WebSocket, Member] = {}

    def __len__(self) -> int:
        return len(self._ready) + len(self._behind)

    def outboxes(self) -> Iterator[Outbox]:
        """Yield those that are in use."""
        return (member.outbox for member in self._behind.values() if member.outbox is not None)

    def add(self, member: Member) -> None:
        """Hold everything for a new member until its outbox is started."""
        self._hold_back(member)

    def remove(self, member: Member) -> None:
        """Send nothing more to a member."""
        self._ready.pop(member.ws, None)
        self._behind.pop(member.ws, None)
        if member.outbox is not None:
            member.outbox.stop()
            member.outbox = None

    def recover(self, member: Member, missed: History, reached: Position) -> None:
        """Give a member that is held what it missed; reached: where the room is."""
        assert member.outbox is not None
        member.outbox.recover(self._missed.of(missed), missed.position, reached)

    def tell(self, event: Event) -> None:
        """Tell an event to all members; who joined or left does not hear of itself."""
        message = self._prepare(event)
        key, besides = "", ""
        position: Position | None = None
        match event:
            case Published(publication, position):
                key = publication.key
            case Joined(besides) | Left(besides):
                pass
        behind = list(self._behind.values())
        if message is not None:
            for ws in self._send(message, besides):
                self._fall_behind(ws, message, key, position)
        for member in behind:
            if member.outbox is not None and member.id != besides:
                member.outbox.put(message, key=key, position=position)

    def _prepare(self, event: Event) -> PreparedMessage | None:
        """Return the message that tells an event; None: it is not told, or cannot be."""
        if self._encode is None:
            if not isinstance(event, Published):
                return None
            return PreparedMessage(event.publication.data)
        try:
            data = self._encode(self._room, event)
            return None if data is None else PreparedMessage(data)
        except Exception:  # the application's: other members are served all the same
            self._counters.encoder_failures += 1
            logger.exception("the encoder of room %r failed", self._room)
            return None

    def _send(self, message: PreparedMessage, besides: str) -> list[WebSocket]:
        """Send to all who keep up; return those who do so no more."""
        ready = self._ready
        if besides:
            ready = {ws: member for ws, member in ready.items() if member.id != besides}
        refused = send_to_all(ready, message)
        self._counters.delivered += len(ready) - len(refused)
        return refused

    def _fall_behind(
        self, ws: WebSocket, message: PreparedMessage, key: str, position: Position | None
    ) -> None:
        """Let the message wait for a member that cannot take it, unless that one is closed."""
        member = self._ready.pop(ws, None)
        if member is None:
            return  # whoever observes frames has removed it
        if ws.state is not State.OPEN:
            self._behind[ws] = member  # and gets nothing until it leaves
            return
        outbox = self._hold_back(member)
        outbox.put(message, key=key, position=position)
        outbox.start()

    def _hold_back(self, member: Member) -> Outbox:
        member.outbox = Outbox(
            member.ws,
            self._limits,
            self._counters,
            on_empty=partial(self._keeps_up, member),
            on_lost=member.on_lost,
        )
        self._behind[member.ws] = member
        return member.outbox

    def _keeps_up(self, member: Member) -> None:
        member.outbox = None
        del self._behind[member.ws]
        self._ready[member.ws] = member

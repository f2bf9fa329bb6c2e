"""The chat: rooms, who is in them, and what was said last."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs

from upwire.demo.messages import Message, decode, encode, pong, violation
from upwire.demo.names import clean_line, clean_name, clean_room
from upwire.demo.rate import TokenBucket
from upwire.demo.session import Outbox, converse
from upwire.errors import RemoteProtocolError
from upwire.net.websocket import WebSocket
from upwire.wire.frames import CloseCode

HISTORY_MESSAGES = 50
TEXT_LENGTH_MAX = 500
MEMBERS_MAX = 500
ROOMS_MAX = 64  # those with nobody in them are forgotten first
ROOMS_SHOWN = 12
BURST_MESSAGES = 6
MESSAGES_PER_S = 2.0
REFUSALS_MAX = 40  # of messages that came too fast, before the member is sent away


@dataclass(slots=True, eq=False)
class Member:
    """Somebody in a room."""

    id: int
    name: str
    bucket: TokenBucket
    outbox: Outbox = field(default_factory=Outbox)
    refusals: int = 0


class Room:
    """The members of one room, and its last messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[int, Member] = {}
        self.history: deque[Message] = deque(maxlen=HISTORY_MESSAGES)

    def taken_names(self) -> set[str]:
        return {member.name for member in self.members.values()}

    def tell(self, message: str) -> None:
        """Give a message to everybody in the room."""
        for member in self.members.values():
            member.outbox.put(message)


class Chat:
    """All rooms. now_s never goes back and measures; wall_s tells the time of day."""

    def __init__(
        self,
        *,
        now_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._rooms: dict[str, Room] = {}
        self._ids = itertools.count(1)
        self._now_s = now_s
        self._wall_s = wall_s

    async def serve(self, ws: WebSocket) -> None:
        """Keep one page in the room of its path, under the name in its query."""
        wanted = parse_qs(ws.request.query).get("name", [""])[0]
        try:
            room, member = self.enter(ws.path_params["room"], wanted)
        except RemoteProtocolError as error:
            await ws.close(error.close_code, error.message)
            return
        try:
            await converse(ws, member.outbox, partial(self.hear, room, member))
        finally:
            self.leave(room, member)

    def enter(self, room_name: str, name: str) -> tuple[Room, Member]:
        """Let somebody in, and tell the others.

        Raises RemoteProtocolError (1013) when too many are here.
        """
        if sum(len(room.members) for room in self._rooms.values()) >= MEMBERS_MAX:
            raise violation("the chat is full", CloseCode.TRY_AGAIN_LATER)
        room = self._find_room(clean_room(room_name))
        number = next(self._ids)
        member = Member(
            id=number,
            name=clean_name(name, taken=room.taken_names(), fallback=f"Guest {number}"),
            bucket=TokenBucket(burst=BURST_MESSAGES, per_s=MESSAGES_PER_S, now_s=self._now_s()),
        )
        room.tell(encode("joined", id=member.id, name=member.name))
        room.members[member.id] = member
        member.outbox.put(_welcome(room, member))
        self._tell_rooms()
        return room, member

    def leave(self, room: Room, member: Member) -> None:
        """Take somebody out, and tell the others."""
        del room.members[member.id]
        room.tell(encode("left", id=member.id, name=member.name))
        self._tell_rooms()

    def hear(self, room: Room, member: Member, data: str | bytes) -> None:
        """Act on one message of a member.

        Raises RemoteProtocolError for one that no page of ours sends, and for a flood.
        """
        message = decode(data)
        if message.get("type") == "ping":
            member.outbox.put(pong(message))
            return
        if not self._is_in_time(member):
            return
        match message:
            case {"type": "say", "text": str(text)}:
                self._say(room, member, text)
            case {"type": "name", "name": str(name)}:
                _rename(room, member, name)
            case _:
                raise violation("unknown message")

    def _is_in_time(self, member: Member) -> bool:
        """Whether the member may speak already. Raises RemoteProtocolError (1008) for a flood."""
        if member.bucket.take(self._now_s()):
            member.refusals = 0
            return True
        member.refusals += 1
        if member.refusals == 1:
            member.outbox.put(encode("notice", text="Too fast: this was not sent to the others."))
        if member.refusals > REFUSALS_MAX:
            raise violation("too many messages")
        return False

    def _say(self, room: Room, member: Member, text: str) -> None:
        shown = clean_line(text, TEXT_LENGTH_MAX)
        if not shown:
            return
        at_ms = round(self._wall_s() * 1000)
        said = {"id": member.id, "name": member.name, "text": shown, "at_ms": at_ms}
        room.history.append(said)
        room.tell(encode("said", **said))

    def _find_room(self, name: str) -> Room:
        room = self._rooms.pop(name, None) or Room(name)
        self._rooms[name] = room  # the room entered last comes last
        empty = [room for room in self._rooms.values() if not room.members and room.name != name]
        for forgotten in empty[: max(0, len(self._rooms) - ROOMS_MAX)]:
            del self._rooms[forgotten.name]
        return room

    def _tell_rooms(self) -> None:
        """Tell everybody which rooms have people in them, the fullest first."""
        counts = [(room.name, len(room.members)) for room in self._rooms.values() if room.members]
        counts.sort(key=lambda entry: (-entry[1], entry[0]))
        message = encode("rooms", rooms=counts[:ROOMS_SHOWN])
        for room in self._rooms.values():
            room.tell(message)


def _welcome(room: Room, member: Member) -> str:
    return encode(
        "welcome",
        you=member.id,
        room=room.name,
        members=[{"id": other.id, "name": other.name} for other in room.members.values()],
        history=list(room.history),
    )


def _rename(room: Room, member: Member, name: str) -> None:
    before = member.name
    taken = room.taken_names() - {before}
    member.name = clean_name(name, taken=taken, fallback=before)
    if member.name != before:
        room.tell(encode("renamed", id=member.id, name=member.name, before=before))

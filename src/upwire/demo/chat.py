"""The chat: rooms, who is in them, and what was said last."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable

from upwire.demo.broadcast import PAGE_LIMITS
from upwire.demo.handshake import describe_handshake
from upwire.demo.names import clean_line, clean_name, clean_room
from upwire.demo.rate import TokenBucket
from upwire.net.websocket import WebSocket
from upwire.rooms import (
    CommandRefused,
    HistoryLimits,
    Home,
    Info,
    Room,
    RoomLimits,
    Rooms,
    browser_handler,
)

HALL = "chat"  # all who are here are in it, and show in which room they talk
PREFIX = "chat/"  # of those rooms
HISTORY = HistoryLimits(messages=50, ttl_s=3600)
TEXT_LENGTH_MAX = 500
ID_LENGTH_MAX = 64
MEMBERS_MAX = 500
BURST_MESSAGES = 6
MESSAGES_PER_S = 2.0


class Chat:
    """All rooms; without a home, in memory. wall_s tells the time of day."""

    def __init__(
        self, home: Home | None = None, *, wall_s: Callable[[], float] = time.time
    ) -> None:
        limits = RoomLimits(members=MEMBERS_MAX, history=HISTORY)
        self._rooms = Rooms(home, limits=limits)
        self._wall_s = wall_s
        self.serve = browser_handler(
            self._rooms,
            welcome=describe_handshake,
            admit=self._admit,
            prepare=self._prepare,
            limits=PAGE_LIMITS,
        )

    async def _admit(self, ws: WebSocket, room: str, info: Info) -> Info:
        """Return a name that nobody else in the room has, or in the hall the room to talk in.

        The name of a tab that comes back is free for it, even if its node died and nobody has
        noticed yet. What shows that it is the same tab tells nobody its token.
        """
        token = _text(info, "token") or ws.id
        tab = hashlib.sha256(token.encode()).hexdigest()[:16]
        if room == HALL:
            return {"room": clean_room(_text(info, "room")), "tab": tab}
        if not room.startswith(PREFIX) or clean_room(room[len(PREFIX) :]) != room[len(PREFIX) :]:
            raise CommandRefused("no_room", "rooms have small letters and digits, and hyphens")
        others = await self._rooms.presence(room)
        taken = {_text(other, "name") for other in others.values() if other.get("tab") != tab}
        guest = f"Guest {int(ws.id[:6], 16) % 1000}"
        name = clean_name(_text(info, "name"), taken=taken, fallback=guest)
        return {"name": name, "tab": tab}

    async def _prepare(self, room: Room, data: object) -> object:
        """Return a line as the others get it; who says many waits for each."""
        if room.name == HALL:
            raise CommandRefused("forbidden", "nobody talks in the hall")
        match data:
            case {"id": str(line_id), "text": str(text)} if 0 < len(line_id) <= ID_LENGTH_MAX:
                shown = clean_line(text, TEXT_LENGTH_MAX)
            case _:
                raise CommandRefused("no_line", "a line has an id and a text")
        if not shown:
            raise CommandRefused("no_line", "there is nothing to see in it")
        await asyncio.sleep(_bucket(room.ws).reserve(asyncio.get_running_loop().time()))
        at_ms = round(self._wall_s() * 1000)
        return {"id": line_id, "name": room.info["name"], "text": shown, "at_ms": at_ms}


def _text(info: Info, name: str) -> str:
    value = info.get(name, "")
    return value if isinstance(value, str) else ""


def _bucket(ws: WebSocket) -> TokenBucket:
    """Return how often this page may speak."""
    bucket = ws.context.get("bucket")
    if bucket is None:
        now_s = asyncio.get_running_loop().time()
        bucket = TokenBucket(burst=BURST_MESSAGES, per_s=MESSAGES_PER_S, now_s=now_s)
        ws.context["bucket"] = bucket
    assert isinstance(bucket, TokenBucket)
    return bucket

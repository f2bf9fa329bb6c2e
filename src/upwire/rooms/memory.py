"""`MemoryHome`: rooms that live in one process, and end with it."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import replace

from upwire.rooms.home import (
    IDEMPOTENCY_KEYS,
    IDEMPOTENCY_TTL_S,
    History,
    HistoryLimits,
    Info,
    Listener,
    Position,
    Publication,
)


class _Kept:
    """What the home has of one room."""

    __slots__ = ("epoch", "kept", "keys", "listener", "members", "offset", "timer", "until_s")

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.offset = 0
        self.kept: deque[tuple[float, Publication]] = deque()  # with the time when each goes
        self.keys: OrderedDict[str, tuple[float, Position]] | None = None
        self.members: dict[str, Info] = {}
        self.listener: Listener | None = None
        self.until_s = 0.0  # everything of it has gone then
        self.timer: asyncio.TimerHandle | None = None

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)

    def keep(self, publication: Publication, limits: HistoryLimits, now_s: float) -> None:
        if limits.messages > 0 and limits.ttl_s > 0:
            self.kept.append((now_s + limits.ttl_s, publication))
            self.until_s = max(self.until_s, now_s + limits.ttl_s)
        while len(self.kept) > limits.messages:
            self.kept.popleft()

    def drop_expired(self, now_s: float) -> None:
        while self.kept and self.kept[0][0] <= now_s:
            self.kept.popleft()
        while self.keys and next(iter(self.keys.values()))[0] <= now_s:
            self.keys.popitem(last=False)

    def remember(self, key: str, now_s: float) -> None:
        if self.keys is None:
            self.keys = OrderedDict()
        self.keys[key] = (now_s + IDEMPOTENCY_TTL_S, self.position)
        self.until_s = max(self.until_s, now_s + IDEMPOTENCY_TTL_S)
        if len(self.keys) > IDEMPOTENCY_KEYS:
            self.keys.popitem(last=False)

    def history(self, since: Position | None, limit: int | None) -> History:
        """Return what is kept, as `Home.history()` says."""
        behind = since.offset if since is not None and since.epoch == self.epoch else 0
        publications = [publication for _, publication in self.kept if publication.offset > behind]
        if limit is not None and since is None:
            publications = publications[max(0, len(publications) - limit) :]
        elif limit is not None:
            publications = publications[:limit]
        is_of_epoch = since is None or since.epoch == self.epoch
        is_complete = is_of_epoch and len(publications) == self.offset - behind
        return History(self.position, tuple(publications), is_complete)


class MemoryHome:
    """A `Home` in memory: the default, for one process.

    A room without listener and members is forgotten once its history and its idempotency keys
    have expired. What is made anew after that counts from 0, so it is of another epoch.
    """

    def __init__(self) -> None:
        self._rooms: dict[str, _Kept] = {}
        self._id = secrets.token_hex(4)
        self._generation = 0  # how often offsets were forgotten

    async def open(self) -> None:
        """Do nothing: memory is there."""

    async def close(self) -> None:
        """Forget everything."""
        for room in self._rooms.values():
            if room.timer is not None:
                room.timer.cancel()
        self._rooms.clear()
        self._id = secrets.token_hex(4)

    async def publish(
        self,
        room: str,
        publication: Publication,
        *,
        keep: HistoryLimits,
        idempotency_key: str = "",
    ) -> Position:
        """Number, keep and pass on; see `Home`."""
        kept, now_s = self._room(room), asyncio.get_running_loop().time()
        kept.drop_expired(now_s)
        if idempotency_key and kept.keys is not None and idempotency_key in kept.keys:
            return kept.keys[idempotency_key][1]
        kept.offset += 1
        numbered = replace(publication, offset=kept.offset)
        kept.keep(numbered, keep, now_s)
        if idempotency_key:
            kept.remember(idempotency_key, now_s)
        position = kept.position
        if kept.listener is not None:
            kept.listener.published(numbered, position)
        self._look_later(room, kept)
        self._forget_unused(room, kept)
        return position

    async def history(
        self, room: str, *, since: Position | None = None, limit: int | None = None
    ) -> History:
        kept = self._rooms.get(room)
        if kept is None:
            kept = _Kept(self._epoch())  # only asked for, so it is not kept
        kept.drop_expired(asyncio.get_running_loop().time())
        return kept.history(since, limit)

    async def position(self, room: str) -> Position:
        kept = self._rooms.get(room)
        return Position(self._epoch(), 0) if kept is None else kept.position

    async def subscribe(self, room: str, listener: Listener) -> Position:
        kept = self._room(room)
        kept.listener = listener
        return kept.position

    async def unsubscribe(self, room: str) -> None:
        if (kept := self._rooms.get(room)) is not None:
            kept.listener = None
            self._forget_unused(room, kept)

    async def enter(self, room: str, member_id: str, info: Info) -> None:
        kept = self._room(room)
        kept.members[member_id] = info
        if kept.listener is not None:
            kept.listener.joined(member_id, info)

    async def leave(self, room: str, member_id: str) -> None:
        kept = self._rooms.get(room)
        if kept is None or kept.members.pop(member_id, None) is None:
            return
        if kept.listener is not None:
            kept.listener.left(member_id)
        self._forget_unused(room, kept)

    async def presence(self, room: str) -> Mapping[str, Info]:
        kept = self._rooms.get(room)
        return {} if kept is None else dict(kept.members)

    def _epoch(self) -> str:
        return f"{self._id}-{self._generation}"

    def _room(self, name: str) -> _Kept:
        kept = self._rooms.get(name)
        if kept is None:
            kept = self._rooms[name] = _Kept(self._epoch())
        return kept

    def _look_later(self, name: str, kept: _Kept) -> None:
        """See once everything that is kept now has expired whether the room is still used."""
        if kept.timer is None and kept.until_s:
            loop = asyncio.get_running_loop()
            kept.timer = loop.call_at(kept.until_s, self._look, name, kept)

    def _look(self, name: str, kept: _Kept) -> None:
        kept.timer = None
        now_s = asyncio.get_running_loop().time()
        kept.drop_expired(now_s)
        if now_s < kept.until_s:
            self._look_later(name, kept)
        else:
            self._forget_unused(name, kept)

    def _forget_unused(self, name: str, kept: _Kept) -> None:
        """Forget a room that nobody is in and that keeps nothing."""
        if kept.listener is None and not kept.members and kept.timer is None:
            del self._rooms[name]
            if kept.offset:
                self._generation += 1

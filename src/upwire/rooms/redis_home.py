"""Rooms that several nodes share, on a Redis or Valkey server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Literal

from upwire.errors import ConfigError, HomeUnreachable, Problem
from upwire.rooms.home import (
    IDEMPOTENCY_TTL_S,
    History,
    HistoryLimits,
    Info,
    Listener,
    Position,
    Publication,
)
from upwire.rooms.redis_feed import Feed
from upwire.rooms.redis_link import Call, Link, Refused, stop
from upwire.rooms.redis_octets import (
    Keys,
    decode_history,
    decode_members,
    decode_position,
    encode_member,
    encode_publication,
    name_keys,
)
from upwire.rooms.redis_scripts import ENTER, HAS_SHARDED_CHANNELS, LEAVE, PRESENCE, PUBLISH, READ
from upwire.rooms.redis_subscription import Subscription

_MEMBERS_AT_ONCE = 500  # refreshed by one script
_ROOMS_AT_ONCE = 100  # in one round trip
_NOWHERE = ("", 0)  # in no epoch


class RedisHome:
    """A `Home` on one Redis server, from `redis://`, `rediss://` or `unix://`.

    deadline_s: how long a call goes on trying before it raises HomeUnreachable.
    presence_ttl_s: how long the members of a node that has died are still shown.
    prefix: of all keys and channels; those who share it share their rooms.
    docs/rooms.md says what is guaranteed when the server or a node fails.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline_s: float = 5.0,
        presence_ttl_s: float = 60.0,
        prefix: str = "upwire",
    ) -> None:
        """Raises ConfigError for a URL that names no Redis server, or times that are no times."""
        for name, seconds in (("deadline_s", deadline_s), ("presence_ttl_s", presence_ttl_s)):
            if not 0 < seconds < float("inf"):
                raise ConfigError([Problem(f"{name} takes a number above 0, not {seconds}")])
        self._link = Link(url, deadline_s=deadline_s)
        self._feed = Feed(self._link, self._name_channel, self._read_logs, self._refresh_soon)
        self._deadline_s = deadline_s
        self._presence_ttl_s = presence_ttl_s
        self._prefix = prefix
        self._node = secrets.token_hex(8)
        self._numbers = count()
        self._members: dict[str, dict[str, bytes]] = {}
        self._refresh_is_due = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Find the server. Raises HomeUnreachable."""
        await self._link.run(Call(HAS_SHARDED_CHANNELS))
        self._feed.open()
        self._refreshing = asyncio.create_task(self._refresh_members())

    async def close(self) -> None:
        """Leave all rooms and close all connections."""
        if self._refreshing is not None:
            await stop(self._refreshing)
        await self._feed.close()
        members, self._members = self._members, {}
        with contextlib.suppress(HomeUnreachable):  # they expire
            calls = [self._leave_call(room, *ids) for room, ids in members.items()]
            for i in range(0, len(calls), _ROOMS_AT_ONCE):
                await self._link.run(*calls[i : i + _ROOMS_AT_ONCE])
        await self._link.close()

    async def publish(
        self,
        room: str,
        publication: Publication,
        *,
        keep: HistoryLimits,
        idempotency_key: str = "",
    ) -> Position:
        """Number, keep and pass on a publication, in one step of the server.

        It is tried again until the deadline, under one idempotency key: a publication of which
        the answer was lost is not published twice.
        """
        keys = self._keys(room)
        if idempotency_key:
            once, once_s = f"{keys.once}caller:{idempotency_key}", IDEMPOTENCY_TTL_S
        else:
            once, once_s = f"{keys.once}{self._node}:{next(self._numbers)}", 2 * self._deadline_s
        limits = (keep.messages, _ms(keep.ttl_s), _ms(once_s))
        arguments = (*self._current(self._feed.position(room)), keys.channel)
        octets = encode_publication(publication)
        call = Call(PUBLISH, (keys.meta, keys.log, once), (*arguments, octets, *limits))
        [(epoch, offset)] = await self._link.run(call)
        return decode_position(epoch, offset)

    async def history(
        self, room: str, *, since: Position | None = None, limit: int | None = None
    ) -> History:
        """Return what is kept behind `since`, the oldest `limit` of it; without, the latest."""
        known = self._feed.position(room)
        [reply] = await self._link.run(self._read_call(room, known, since=since, limit=limit))
        return decode_history(reply, since, is_latest=since is None)

    async def position(self, room: str) -> Position:
        """Return where the room is now."""
        return (await self.history(room, limit=0)).position

    async def subscribe(self, room: str, listener: Listener) -> Position:
        """Tell listener of the room from now on; return behind which position."""
        return await self._feed.subscribe(room, listener, self._deadline_s)

    async def unsubscribe(self, room: str) -> None:
        """Tell the room's listener nothing more."""
        self._feed.unsubscribe(room)

    async def enter(self, room: str, member_id: str, info: Info) -> None:
        """Put a member of this node among the room's; it expires where the node does.

        Where this raises, it is not known whether it is there, until leave().
        """
        record = encode_member(member_id, info)
        self._members.setdefault(room, {})[member_id] = record
        await self._link.run(self._enter_call(room, [(member_id, record)], tell="all"))

    async def leave(self, room: str, member_id: str) -> None:
        """Take a member out. Where the server is not reached, it expires."""
        members = self._members.get(room, {})
        members.pop(member_id, None)
        if not members:
            self._members.pop(room, None)
        with contextlib.suppress(HomeUnreachable):
            await self._link.run(self._leave_call(room, member_id))

    async def presence(self, room: str) -> Mapping[str, Info]:
        """Return the members of all nodes by their ids."""
        keys = self._keys(room)
        call = Call(PRESENCE, (keys.members, keys.expiry), (keys.channel,))
        [records] = await self._link.run(call)
        return decode_members(records)

    def _keys(self, room: str) -> Keys:
        return name_keys(self._prefix, room)

    def _name_channel(self, room: str) -> str:
        return self._keys(room).channel

    def _current(self, known: Position | None) -> tuple[str | int, ...]:
        """Return what a script needs to see whether a room goes on or begins anew."""
        known = known or Position("", 0)
        return secrets.token_hex(4), known.epoch, known.offset

    def _read_call(
        self, room: str, known: Position | None, *, since: Position | None, limit: int | None
    ) -> Call:
        keys = self._keys(room)
        start: tuple[str, str | int] = ("", "")
        if since is not None:
            start = (since.epoch, since.offset) if 0 <= since.offset < 2**63 else _NOWHERE
        arguments = (*self._current(known), *start, -1 if limit is None else limit)
        return Call(READ, (keys.meta, keys.log), arguments)

    async def _read_logs(self, subscriptions: Sequence[Subscription]) -> list[History | Refused]:
        """Return what the rooms have behind where the subscriptions are, or why not.

        Raises HomeUnreachable.
        """
        calls = [
            self._read_call(
                subscription.room,
                subscription.position,
                since=subscription.position,
                limit=0 if subscription.position is None else None,
            )
            for subscription in subscriptions
        ]
        reading = [
            self._read_log(call, one) for call, one in zip(calls, subscriptions, strict=True)
        ]
        return await asyncio.gather(*reading)

    async def _read_log(self, call: Call, subscription: Subscription) -> History | Refused:
        try:
            [reply] = await self._link.run(call)
        except Refused as error:
            return error
        return decode_history(reply, subscription.position, is_latest=False)

    def _enter_call(
        self, room: str, members: Sequence[tuple[str, bytes]], *, tell: Literal["all", "new"]
    ) -> Call:
        keys = self._keys(room)
        pairs = (part for member in members for part in member)
        arguments = (keys.channel, _ms(self._presence_ttl_s), tell, *pairs)
        return Call(ENTER, (keys.members, keys.expiry, keys.meta), arguments)

    def _leave_call(self, room: str, *member_ids: str) -> Call:
        keys = self._keys(room)
        return Call(LEAVE, (keys.members, keys.expiry), (keys.channel, *member_ids))

    def _refresh_soon(self) -> None:
        self._refresh_is_due.set()

    async def _refresh_members(self) -> None:
        """Say, three times in the life of a member, that ours are alive; let others expire."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._presence_ttl_s / 3):
                    await self._refresh_is_due.wait()
            self._refresh_is_due.clear()
            with contextlib.suppress(HomeUnreachable):  # we are called when it is back
                await self._refresh()

    async def _refresh(self) -> None:
        """Refresh all rooms; calls are made as they go, so that none overtakes one who leaves."""
        rooms = [*{*self._feed.rooms, *self._members}]
        for i in range(0, len(rooms), _ROOMS_AT_ONCE):
            some = rooms[i : i + _ROOMS_AT_ONCE]
            with contextlib.suppress(Refused):  # one of a room; the others are done
                await self._link.run(*(call for room in some for call in self._refresh_calls(room)))

    def _refresh_calls(self, room: str) -> Iterator[Call]:
        members = list(self._members.get(room, {}).items())
        for i in range(0, len(members) or 1, _MEMBERS_AT_ONCE):
            yield self._enter_call(room, members[i : i + _MEMBERS_AT_ONCE], tell="new")


def _ms(seconds: float) -> int:
    """Return milliseconds as Redis takes them, at least 1 of a time that is not 0."""
    return max(round(seconds * 1000), 1 if seconds > 0 else 0)

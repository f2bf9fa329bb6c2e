"""`Node`: what all rooms of a node have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

from upwire.errors import LocalProtocolError, RoomRefused
from upwire.net.websocket import WebSocket
from upwire.rooms.home import History, Home, Info, Position, Publication
from upwire.rooms.limits import RoomLimits, check_message, check_name
from upwire.rooms.local_room import LocalRoom
from upwire.rooms.metrics import Counters, RoomsMetrics
from upwire.rooms.permissions import Action, May, check_permission
from upwire.rooms.turns import Turns

LimitsOf = Callable[[str], RoomLimits]
"""Returns the limits of the room with that name; is asked when a node begins to use it."""


class Node:
    """A home, the local rooms that are in use, and who is in how many of them.

    home: to be asked behind `open()` only.
    """

    def __init__(
        self,
        home: Home,
        *,
        limits: RoomLimits | LimitsOf,
        rooms_per_member: int | None,
        may: May | None,
    ) -> None:
        self.home = home
        self._limits = limits
        self._rooms_per_member = rooms_per_member
        self._may = may
        self._counters = Counters()
        self._local: dict[str, LocalRoom] = {}
        self._joins: dict[WebSocket, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening = Turns()
        self._is_open = False
        self._is_closed = False

    async def open(self) -> None:
        """Make the home ready, unless that is done; the first use does so too.

        Raises RoomRefused once closed, and HomeUnreachable.
        """
        if not self._is_open or self._is_closed:
            async with self._opening.attempt():
                await self._open_home()

    async def close(self) -> None:
        """Leave all rooms, whose members stay connected; nothing can be joined any more."""
        self._is_closed = True
        for local in self._local.values():
            local.dismiss_all()
        self._local.clear()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        async with self._opening.lock:
            await self.home.close()

    def metrics(self) -> RoomsMetrics:
        """Return how this node's rooms do."""
        outboxes = [len(box) for local in self._local.values() for box in local.outboxes()]
        return RoomsMetrics(
            rooms=len(self._local),
            members=sum(len(local) for local in self._local.values()),
            slow_members=len(outboxes),
            waiting_messages=sum(outboxes),
            **asdict(self._counters),
        )

    async def check_permission(self, action: Action, name: str, ws: WebSocket, info: Info) -> None:
        """Raise RoomRefused unless a member may do so."""
        await check_permission(self._may, action, name, ws, info)

    async def publish(
        self, name: str, publication: Publication, *, idempotency_key: str
    ) -> Position:
        """Publish what is within the room's limits; see `Home.publish()`."""
        check_name(name)
        limits = self._limits_of(name)
        check_message(publication.data, publication.key, limits.message_octets)
        await self.open()
        position = await self.home.publish(
            name, publication, keep=limits.history, idempotency_key=idempotency_key
        )
        self._counters.published += 1
        return position

    async def presence(self, name: str) -> Mapping[str, Info]:
        """Return the members of all nodes by their ids."""
        check_name(name)
        await self.open()
        return await self.home.presence(name)

    async def history(self, name: str, limit: int | None, since: Position | None) -> History:
        """Return what is kept; see `Home.history()`."""
        check_name(name)
        if limit is not None and limit < 0:
            raise LocalProtocolError(f"limit must be 0 or more, not {limit}")
        await self.open()
        return await self.home.history(name, since=since, limit=limit)

    async def read_missed(self, local: LocalRoom, since: Position) -> History:
        """Return what a member missed, and count whether that is all."""
        limit = local.limits.recovery_messages
        history = await self.home.history(local.name, since=since, limit=limit)
        if history.is_complete:
            self._counters.recovered += 1
        else:
            self._counters.not_recovered += 1
        return history

    async def begin_join(self, name: str, ws: WebSocket, info: Info) -> LocalRoom:
        """Return the room, held until `end_join()`."""
        check_name(name)
        await self.check_permission(Action.JOIN, name, ws, info)
        await self.open()
        joined = self._joins.get(ws, 0)
        if self._rooms_per_member is not None and joined >= self._rooms_per_member:
            raise RoomRefused(f"already in {joined} rooms", reason="limit")
        local = self._local.get(name)
        if local is None:
            local = LocalRoom(name, self.home, self._limits_of(name), self._counters)
            self._local[name] = local
        local.holders += 1
        self._joins[ws] = joined + 1
        return local

    def end_join(self, local: LocalRoom, ws: WebSocket, *, was_member: bool) -> asyncio.Task[None]:
        """Give up what `begin_join()` gave, in a task that nobody's cancellation ends."""
        local.holders -= 1
        self._joins[ws] -= 1
        if not self._joins[ws]:
            del self._joins[ws]
        task = asyncio.get_running_loop().create_task(self._leave(local, ws, was_member))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def _open_home(self) -> None:
        if self._is_closed:
            raise RoomRefused("the rooms are closed", reason="closed")
        if not self._is_open:
            await self.home.open()
            self._is_open = True

    async def _leave(self, local: LocalRoom, ws: WebSocket, was_member: bool) -> None:
        if self._is_closed:
            return  # the home leaves all rooms
        if was_member and not local.has(ws):  # it may be here again
            await self.home.leave(local.name, ws.id)
        if await local.unsubscribe_unused() and self._local.get(local.name) is local:
            del self._local[local.name]

    def _limits_of(self, name: str) -> RoomLimits:
        local = self._local.get(name)
        if local is not None:
            return local.limits
        return self._limits if isinstance(self._limits, RoomLimits) else self._limits(name)

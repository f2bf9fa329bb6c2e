"""`Room`: one member's place in a room."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from upwire.errors import RoomRefused
from upwire.net.websocket import WebSocket
from upwire.rooms.audience import Member
from upwire.rooms.events import Encoder
from upwire.rooms.home import History, Info, Position, Publication
from upwire.rooms.limits import Allowance
from upwire.rooms.local_room import LocalRoom
from upwire.rooms.node import Node
from upwire.rooms.permissions import Action
from upwire.wire.websocket import State


class _Stage(enum.Enum):
    OUTSIDE = enum.auto()
    ENTERING = enum.auto()
    INSIDE = enum.auto()
    GONE = enum.auto()


class Room:
    """A WebSocket as a member of a room; made by `Rooms.join()`.

    `async with` enters, starts and leaves. Whoever must say something to the member before the
    room's first message calls `enter()`, `start()` and `leave()` instead.

    recovered: whether what was missed since `since` comes first; None where that was not asked.
    position: behind which all publications come to the member: `since` if it is recovered,
    otherwise where the room was as it entered.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        ws: WebSocket,
        *,
        info: Info,
        since: Position | None,
        encode: Encoder | None,
        on_lost: Callable[[int], None] | None,
    ) -> None:
        self.name = name
        self.ws = ws
        self.recovered: bool | None = None
        self.position = Position("", 0)
        self._node = node
        self._member = Member(ws, info, encode, on_lost)
        self._since = since
        self._local: LocalRoom | None = None
        self._allowance: Allowance | None = None
        self._stage = _Stage.OUTSIDE

    @property
    def member_id(self) -> str:
        """What the others know the member by: the id of its WebSocket."""
        return self._member.id

    @property
    def info(self) -> Info:
        """What the member shows of itself."""
        return self._member.info

    async def __aenter__(self) -> Self:
        await self.enter()
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()

    async def enter(self) -> None:
        """Become a member, for whom everything is held from now on until `start()`.

        Raises RoomRefused, HomeUnreachable, and what the permission callback raises.
        """
        if self._stage is not _Stage.OUTSIDE:
            raise RoomRefused(f"room {self.name!r} was joined by this before", reason="joined")
        self._stage = _Stage.ENTERING
        try:
            self._check_open()
            self._local = await self._node.begin_join(self.name, self.ws, self.info)
            await self._local.subscribe()
            await self._be_admitted(self._local)
            self._check_open()
        except BaseException:
            await self.leave()
            raise
        self._stage = _Stage.INSIDE

    def start(self) -> None:
        """Let the messages of the room come; first those that were missed."""
        if self._stage is _Stage.INSIDE and self._member.outbox is not None:
            self._member.outbox.start()

    async def leave(self) -> None:
        """Leave; a second time this does nothing. What is cancelled here goes on by itself."""
        if self._stage is _Stage.GONE:
            return
        self._stage = _Stage.GONE
        local, self._local = self._local, None
        if local is not None:
            was_member = local.dismiss(self._member)
            await asyncio.shield(self._node.end_join(local, self.ws, was_member=was_member))

    async def publish(
        self, data: str | bytes, *, key: str = "", idempotency_key: str = ""
    ) -> Position:
        """Publish to all members, this one too; return behind which position that is.

        key: what data is the latest state of. A publication that is repeated with the same
        idempotency_key, within 5 minutes, is published once.

        Raises RoomRefused, HomeUnreachable, and what the permission callback raises.
        """
        local = self._check_inside()
        await self._node.check_permission(Action.PUBLISH, self.name, self.ws, self.info)
        self._check_rate(local)
        publication = Publication(data, key, self._member.id)
        return await self._node.publish(self.name, publication, idempotency_key=idempotency_key)

    async def update(self, info: Info) -> None:
        """Show another info from now on; the others are told as if the member had just joined."""
        self._check_inside()
        self._member.info = info
        await self._node.home.enter(self.name, self._member.id, info)

    async def presence(self) -> Mapping[str, Info]:
        """Return the members of all nodes by their ids."""
        self._check_inside()
        await self._node.check_permission(Action.PRESENCE, self.name, self.ws, self.info)
        return await self._node.presence(self.name)

    async def history(self, limit: int | None = None, *, since: Position | None = None) -> History:
        """Return what is kept: the latest `limit`, or the first `limit` behind `since`."""
        self._check_inside()
        await self._node.check_permission(Action.HISTORY, self.name, self.ws, self.info)
        return await self._node.history(self.name, limit, since)

    async def _be_admitted(self, local: LocalRoom) -> None:
        local.admit(self._member)
        self.position = local.position
        if self._since is not None:
            history = await self._node.read_missed(local, self._since)
            self.recovered = history.is_complete
            self.position = self._since if history.is_complete else history.position
            local.recover(self._member, history)
        await self._node.home.enter(self.name, self._member.id, self.info)
        if not local.has(self.ws):
            await self._node.home.leave(self.name, self._member.id)
            raise RoomRefused("it was left before it was entered", reason="closed")

    def _check_open(self) -> None:
        if self.ws.state is not State.OPEN:
            raise RoomRefused("the WebSocket is closed", reason="closed")

    def _check_inside(self) -> LocalRoom:
        if self._local is None or self._stage is not _Stage.INSIDE:
            raise RoomRefused(f"not in room {self.name!r}", reason="closed")
        return self._local

    def _check_rate(self, local: LocalRoom) -> None:
        if local.limits.publishes_per_s is None:
            return
        now_s = asyncio.get_running_loop().time()
        if self._allowance is None:
            burst = local.limits.publish_burst
            self._allowance = Allowance(local.limits.publishes_per_s, burst, now_s)
        if not self._allowance.take(now_s):
            raise RoomRefused(f"too many messages to room {self.name!r}", reason="rate")

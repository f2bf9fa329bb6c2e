"""`Rooms`: all rooms of a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from upwire.net.websocket import WebSocket
from upwire.rooms.events import Encoder
from upwire.rooms.home import History, Home, Info, Position, Publication
from upwire.rooms.limits import RoomLimits
from upwire.rooms.memory import MemoryHome
from upwire.rooms.metrics import RoomsMetrics
from upwire.rooms.node import LimitsOf, Node
from upwire.rooms.permissions import May
from upwire.rooms.room import Room


class Rooms:
    """The rooms of one node, and of one event loop.

    A room is there as soon as somebody joins it or publishes to it. `close()`, or the end of
    `async with`, leaves all.
    """

    def __init__(
        self,
        home: Home | None = None,
        *,
        limits: RoomLimits | LimitsOf | None = None,
        rooms_per_member: int | None = 128,
        may: May | None = None,
    ) -> None:
        """home: where rooms live, by default this process; it belongs to these Rooms from now on.

        limits: of every room, or a callable that returns a room's.
        rooms_per_member: how many one WebSocket may be in; None: any number.
        may: is asked what a member may do; by default everything.
        """
        self._node = Node(
            MemoryHome() if home is None else home,
            limits=limits or RoomLimits(),
            rooms_per_member=rooms_per_member,
            may=may,
        )

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Make the home ready, unless that is done; the first use does so too.

        Raises RoomRefused once closed, and HomeUnreachable.
        """
        await self._node.open()

    async def close(self) -> None:
        """Leave all rooms, whose members stay connected; nothing can be joined any more."""
        await self._node.close()

    def join(
        self,
        name: str,
        ws: WebSocket,
        *,
        info: Info | None = None,
        since: Position | None = None,
        encode: Encoder | None = None,
        on_lost: Callable[[int], None] | None = None,
    ) -> Room:
        """Return a WebSocket's place in a room, to be entered by `async with`.

        info: what the others see of it.
        since: the last position that it knows; what it missed since comes first, if all of that
        is still there.
        encode: puts what happens into messages; without one, publications come as they are, and
        nothing else does.
        on_lost: is called with how many messages the member does not get, since it is slow.
        """
        return Room(
            self._node, name, ws, info=info or {}, since=since, encode=encode, on_lost=on_lost
        )

    async def publish(
        self, name: str, data: str | bytes, *, key: str = "", idempotency_key: str = ""
    ) -> Position:
        """Publish to a room as nobody in particular; see `Room.publish()`."""
        return await self._node.publish(
            name, Publication(data, key), idempotency_key=idempotency_key
        )

    async def presence(self, name: str) -> Mapping[str, Info]:
        """Return the members of all nodes by their ids."""
        return await self._node.presence(name)

    async def history(
        self, name: str, limit: int | None = None, *, since: Position | None = None
    ) -> History:
        """Return what is kept: the latest `limit`, or the first `limit` behind `since`."""
        return await self._node.history(name, limit, since)

    def metrics(self) -> RoomsMetrics:
        """Return how this node's rooms do."""
        return self._node.metrics()

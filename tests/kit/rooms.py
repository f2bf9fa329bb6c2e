"""Members of rooms in memory, slow at will, and a home that lets itself be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from kit.memory_stream import memory_pair
from kit.virtual_time import settle
from kit.websockets import QUIET, open_on
from upwire.net.stream import WRITE_HIGH_OCTETS
from upwire.net.websocket import Callbacks, WebSocket, WebSocketOptions
from upwire.rooms.home import History, HistoryLimits, Info, Listener, Position, Publication
from upwire.rooms.memory import MemoryHome
from upwire.wire.websocket import Role

_CLOG = bytes(2 * WRITE_HIGH_OCTETS)


class Guest(Callbacks):
    """One connection: ws is the server's side, received what came to the client."""

    def __init__(self, options: WebSocketOptions = QUIET) -> None:
        near, self._far = memory_pair()
        self.ws: WebSocket = open_on(near, Role.SERVER, options)
        self.received: list[str | bytes] = []
        self.client = open_on(self._far, Role.CLIENT)
        self.client.push_to(self)

    def on_message(self, ws: WebSocket, message: str | bytes) -> None:
        if message != _CLOG:
            self.received.append(message)

    def stop_reading(self) -> None:
        """Read nothing more, and let nothing more be written."""
        self._far.transport.pause_reading()
        self.ws.send_nowait(_CLOG)
        assert not self.ws.can_send

    def read_on(self) -> None:
        self._far.transport.resume_reading()

    async def vanish(self) -> None:
        """Cut the connection, and wait until it is gone."""
        self.client.abort()
        await self.ws.wait_closed()
        await settle()


class ToldListener:
    """A Listener that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def published(self, publication: Publication, position: Position) -> None:
        self.told.append(("published", publication, position))

    def joined(self, member_id: str, info: Info) -> None:
        self.told.append(("joined", member_id, info))

    def left(self, member_id: str) -> None:
        self.told.append(("left", member_id))

    def interrupted(self) -> None:
        self.told.append(("interrupted",))

    def resumed(self, history: History) -> None:
        self.told.append(("resumed", history))


class GatedHome(MemoryHome):
    """A home whose calls wait, or fail, as a test says.

    calls: the names of those that began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.listeners: dict[str, Listener] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._failures: dict[str, Exception] = {}

    def hold(self, call: str) -> asyncio.Event:
        """Let that call wait until the event that is returned."""
        self._gates[call] = asyncio.Event()
        return self._gates[call]

    def fail(self, call: str, error: Exception | None) -> None:
        """Let that call fail; None: no more."""
        if error is None:
            del self._failures[call]
        else:
            self._failures[call] = error

    async def _pass(self, call: str) -> None:
        self.calls.append(call)
        if call in self._gates:
            await self._gates[call].wait()
        if call in self._failures:
            raise self._failures[call]

    async def open(self) -> None:
        await self._pass("open")

    async def close(self) -> None:
        await self._pass("close")
        await super().close()

    async def publish(
        self,
        room: str,
        publication: Publication,
        *,
        keep: HistoryLimits,
        idempotency_key: str = "",
    ) -> Position:
        await self._pass("publish")
        return await super().publish(room, publication, keep=keep, idempotency_key=idempotency_key)

    async def history(
        self, room: str, *, since: Position | None = None, limit: int | None = None
    ) -> History:
        history = await super().history(room, since=since, limit=limit)
        await self._pass("history")
        return history

    async def subscribe(self, room: str, listener: Listener) -> Position:
        await self._pass("subscribe")
        self.listeners[room] = listener
        return await super().subscribe(room, listener)

    async def unsubscribe(self, room: str) -> None:
        await self._pass("unsubscribe")
        self.listeners.pop(room, None)
        await super().unsubscribe(room)

    async def enter(self, room: str, member_id: str, info: Info) -> None:
        await self._pass("enter")
        await super().enter(room, member_id, info)

    async def leave(self, room: str, member_id: str) -> None:
        await self._pass("leave")
        await super().leave(room, member_id)

    async def presence(self, room: str) -> Mapping[str, Info]:
        await self._pass("presence")
        return await super().presence(room)

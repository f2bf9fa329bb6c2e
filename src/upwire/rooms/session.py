"""One browser's session: its commands, done in order, and the rooms that it is in."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from upwire.errors import (
    ConnectionClosed,
    HomeUnreachable,
    RemoteProtocolError,
    RoomRefused,
    StreamError,
    UpwireError,
)
from upwire.net.websocket import WebSocket
from upwire.rooms.browser_options import BrowserLimits, Hooks
from upwire.rooms.events import Event, Joined, Left, Published, Resumed
from upwire.rooms.home import History, Info, Position
from upwire.rooms.protocol import (
    VERSION,
    Acknowledge,
    AskHistory,
    AskPresence,
    Command,
    CommandRefused,
    Connect,
    Join,
    Leave,
    Ping,
    Publish,
    Recover,
    Update,
    describe_position,
    encode,
    encode_publication,
    encode_push,
    encode_refusal,
    encode_reply,
    list_publication,
    read_command,
)
from upwire.rooms.room import Room
from upwire.rooms.rooms import Rooms
from upwire.rooms.window import Window
from upwire.wire.frames import CloseCode

logger = logging.getLogger("upwire.rooms")

_T = TypeVar("_T")
Result = Mapping[str, object]

_CODES = {  # of RoomRefused.reason, where the protocol has another word
    "name": "bad_request",
    "permission": "forbidden",
    "size": "too_large",
    "rate": "too_fast",
    "joined": "already_joined",
}


@dataclass(slots=True)
class Membership:
    """A room that the browser is in. is_lost: it was told so, and has not asked yet."""

    room: Room
    wants_presence: bool
    window: Window | None
    is_lost: bool = False

    def catch_up(self, position: Position) -> None:
        """Take that a reply tells everything up to here."""
        if self.window is not None:
            self.window.catch_up(position)


def tell_publications(room: str, event: Event) -> str | bytes | None:
    """Encode an event for members who are not told who else is there."""
    match event:
        case Published(publication):
            return encode_publication(room, publication)
        case Resumed(is_complete=False):
            return encode_push("lost", room)
    return None


def tell_everything(room: str, event: Event) -> str | bytes | None:
    """Encode an event for members who are told who joins and leaves, too."""
    match event:
        case Joined(member_id, info):
            return encode_push("joined", room, member=member_id, info=info)
        case Left(member_id):
            return encode_push("left", room, member=member_id)
    return tell_publications(room, event)


class Session:
    """Serves one WebSocket.

    Commands are done one after the other, so that publishes keep their order; pings and
    acknowledgements pass those that wait. Where limits.commands wait, nothing more is read.
    """

    def __init__(self, ws: WebSocket, rooms: Rooms, hooks: Hooks, limits: BrowserLimits) -> None:
        self._ws = ws
        self._rooms = rooms
        self._hooks = hooks
        self._limits = limits
        self._is_connected = False
        self._faults = 0
        self._waiting: asyncio.Queue[tuple[int, Command]] = asyncio.Queue(limits.commands)
        self._memberships: dict[str, Membership] = {}

    async def serve(self) -> None:
        """Do what the browser asks for until it goes.

        Raises RemoteProtocolError (1008) for a browser that goes on being wrong, and
        ConnectionClosed where it is lost.
        """
        working = asyncio.create_task(self._work())
        try:
            async for data in self._ws:
                await self._hear(data)
        finally:
            working.cancel()
            await asyncio.shield(self._leave_all(working))

    async def _leave_all(self, working: asyncio.Task[None]) -> None:
        await asyncio.wait([working])
        # All at once: each may wait for a home that is out of reach.
        leaving = [membership.room.leave() for membership in self._memberships.values()]
        await asyncio.gather(*leaving)

    # Commands that come

    async def _hear(self, data: str | bytes) -> None:
        number = None
        try:
            number, command = self._read(data)
            match command:
                case Connect():
                    await self._reply(number, self._connect(command))
                case Ping():
                    await self._reply(number, {})
                case Acknowledge():
                    self._acknowledge(command)
                    await self._reply(number, {})
                case _:
                    await self._waiting.put((number, command))
        except CommandRefused as refused:
            known = number if refused.id is None else refused.id
            await self._refuse(CommandRefused(refused.code, refused.text, id=known))
        else:
            self._faults = 0

    def _read(self, data: str | bytes) -> tuple[int, Command]:
        if isinstance(data, bytes):
            raise CommandRefused("bad_request", "commands are text")
        if len(data.encode()) > self._limits.message_octets:
            raise CommandRefused(
                "too_large", f"a command has at most {self._limits.message_octets} octets"
            )
        number, command = read_command(data)
        if self._is_connected is isinstance(command, Connect):
            raise CommandRefused("bad_request", "connect comes first, and once", id=number)
        return number, command

    async def _refuse(self, refused: CommandRefused) -> None:
        self._faults += 1
        if self._faults > self._limits.faults:
            raise RemoteProtocolError(
                "too many wrong commands", close_code=CloseCode.POLICY_VIOLATION
            )
        await self._ws.send(encode_refusal(refused))

    def _connect(self, command: Connect) -> Result:
        if command.version != VERSION:
            raise CommandRefused("version", f"this server speaks version {VERSION}")
        self._is_connected = True
        welcome = self._hooks.welcome
        return {
            "version": VERSION,
            "client": self._ws.id,
            "ping_interval_ms": round(self._limits.ping_interval_s * 1000),
            "ping_timeout_ms": round(self._limits.ping_timeout_s * 1000),
            "welcome": None if welcome is None else welcome(self._ws),
        }

    def _acknowledge(self, command: Acknowledge) -> None:
        window = self._window_of(command.room)
        self._send_late(window.acknowledge(command.offset))

    # Commands that waited

    async def _work(self) -> None:
        try:
            while True:
                await self._do(*await self._waiting.get())
        except ConnectionClosed:
            pass
        except StreamError:  # past send_timeout_s
            self._ws.abort()
        while True:  # whoever reads may wait for a place, and is to come to the end
            await self._waiting.get()

    async def _do(self, number: int, command: Command) -> None:
        try:
            reply = encode_reply(number, await self._act(command))
        except (CommandRefused, RoomRefused, HomeUnreachable) as error:
            reply = encode_refusal(_explain(error, number))
        except Exception:  # the application's, of which the browser is told no more
            logger.exception("a command of %r failed", self._ws)
            reply = encode_refusal(CommandRefused("internal", "the server failed", id=number))
        await self._ws.send(reply)
        if isinstance(command, Join | Recover):
            self._go_on(command.room)

    def _go_on(self, room: str) -> None:
        """Let the pushes of a room come, behind the reply that they continue."""
        membership = self._memberships.get(room)
        if membership is not None:
            membership.room.start()
            if membership.window is not None:
                self._send_late(membership.window.release())

    async def _act(self, command: Command) -> Result:
        match command:
            case Join():
                return await self._join(command)
            case Leave(room):
                await self._membership(room).room.leave()
                del self._memberships[room]
                return {}
            case Publish():
                return await self._publish(command)
            case Update():
                return await self._update(command)
            case AskPresence(room):
                return {"members": dict(await self._membership(room).room.presence())}
            case AskHistory(room, since, limit):
                return _describe(await self._membership(room).room.history(limit, since=since))
        assert isinstance(command, Recover)  # the others were done at once
        return await self._recover(command)

    async def _join(self, command: Join) -> Result:
        if command.room in self._memberships:
            raise CommandRefused("already_joined", "this room is joined already")
        tell = tell_everything if command.presence else tell_publications
        window = None if command.window is None else Window(tell, command.window)
        membership = Membership(
            self._rooms.join(
                command.room,
                self._ws,
                info=await self._admit(command.room, command.info),
                since=command.since,
                encode=window or tell,
                on_lost=None if window else lambda _: self._tell_lost(command.room),
            ),
            command.presence,
            window,
        )
        await membership.room.enter()
        try:
            result = await self._describe_join(membership, command)
        except BaseException:
            await membership.room.leave()
            raise
        self._memberships[command.room] = membership
        return result

    async def _describe_join(self, membership: Membership, command: Join) -> Result:
        """Return what there is before the first push: history that is wanted, or all that is left.

        What was missed, if nothing of it is, comes as pushes.
        """
        room = membership.room
        history = History(room.position)
        if room.recovered is False:
            history = await self._what_is_left(room)
        elif room.recovered is None and command.history:
            history = await room.history(command.history)
        membership.catch_up(history.position)
        return {
            **_describe(history),
            "recovered": room.recovered,
            **await self._describe_presence(membership),
        }

    async def _recover(self, command: Recover) -> Result:
        membership = self._membership(command.room)
        membership.is_lost = False
        history = await self._rooms.history(command.room, since=command.since)
        is_recovered = history.is_complete
        if not is_recovered:
            history = await self._what_is_left(membership.room)
        membership.catch_up(history.position)
        return {
            **_describe(history),
            "recovered": is_recovered,
            **await self._describe_presence(membership),
        }

    async def _what_is_left(self, room: Room) -> History:
        """Return what the room keeps for a member that cannot recover, if it may read history."""
        try:
            return await room.history()
        except RoomRefused:
            none = await self._rooms.history(room.name, 0)
            return History(none.position, is_complete=False)

    async def _describe_presence(self, membership: Membership) -> Result:
        if not membership.wants_presence:
            return {}
        return {"presence": dict(await membership.room.presence())}

    async def _update(self, command: Update) -> Result:
        room = self._membership(command.room).room
        if command.info is not None:
            await room.update(await self._admit(command.room, command.info))
        if command.window is not None:
            self._send_late(self._window_of(command.room).resize(command.window))
        return {"info": room.info}

    async def _publish(self, command: Publish) -> Result:
        room = self._membership(command.room).room
        data = command.data
        if self._hooks.prepare is not None:
            data = await _result(self._hooks.prepare(room, data))
        position = await room.publish(
            encode(data), key=command.key, idempotency_key=command.idempotency_key
        )
        return describe_position(position)

    async def _admit(self, room: str, info: Info) -> Info:
        if self._hooks.admit is None:
            return info
        admitted = await _result(self._hooks.admit(self._ws, room, info))
        encode(admitted)  # what no message could carry is told before anybody sees it
        return admitted

    # What they have in common

    def _membership(self, room: str) -> Membership:
        membership = self._memberships.get(room)
        if membership is None:
            raise CommandRefused("not_joined", "this room is not joined")
        return membership

    def _window_of(self, room: str) -> Window:
        window = self._membership(room).window
        if window is None:
            raise CommandRefused("bad_request", "this room was joined without a window")
        return window

    def _tell_lost(self, room: str) -> None:
        """Tell, once, that messages were dropped, so that the browser asks for them."""
        membership = self._memberships.get(room)
        if membership is not None and not membership.is_lost:
            membership.is_lost = True
            self._send_late(encode_push("lost", room))

    def _send_late(self, message: str | bytes | None) -> None:
        """Send behind what comes at any time; to one that is gone, nothing."""
        if message is not None:
            with suppress(ConnectionClosed):
                self._ws.send_nowait(message)

    async def _reply(self, number: int, result: Result) -> None:
        await self._ws.send(encode_reply(number, result))


def _explain(error: UpwireError, number: int) -> CommandRefused:
    """Return why a command was not done, in the protocol's words."""
    match error:
        case CommandRefused(code=code, text=text):
            return CommandRefused(code, text, id=number)
        case RoomRefused(reason=reason):
            return CommandRefused(_CODES.get(reason, reason), str(error), id=number)
    return CommandRefused("unavailable", "the rooms are out of reach", id=number)


def _describe(history: History) -> dict[str, object]:
    return {
        "position": describe_position(history.position),
        "complete": history.is_complete,
        "publications": [list_publication(publication) for publication in history.publications],
    }


async def _result(value: _T | Awaitable[_T]) -> _T:
    return await value if inspect.isawaitable(value) else value

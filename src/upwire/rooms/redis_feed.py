"""What the rooms' channels bring: one subscriber connection of a node, however often it is cut.

One task reads it and does all that the order depends on: a listener hears of an offset only after
the one before; what a lost connection or a gap has left out comes from the room's log first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from upwire.errors import HomeUnreachable
from upwire.rooms.home import History, Listener, Position
from upwire.rooms.redis_link import LOST, Call, Connection, Link, Refused, backoff_s, stop
from upwire.rooms.redis_octets import decode_message
from upwire.rooms.redis_scripts import HAS_SHARDED_CHANNELS
from upwire.rooms.redis_subscription import Subscription

PING_INTERVAL_S = 5.0
_ROOMS_AT_ONCE = 64  # read from their logs in one round trip

Command = tuple[str | bytes, ...]
ReadLogs = Callable[[Sequence[Subscription]], Awaitable[Sequence[History | Refused]]]


class Feed:
    """The subscriptions of a node.

    name_channel: of a room. read_logs: what the rooms have behind the subscriptions' positions.
    on_connected: called whenever the connection is there, again or for the first time.
    """

    def __init__(
        self,
        link: Link,
        name_channel: Callable[[str], str],
        read_logs: ReadLogs,
        on_connected: Callable[[], None],
    ) -> None:
        self._link = link
        self._name_channel = name_channel
        self._read_logs = read_logs
        self._on_connected = on_connected
        self._subscriptions: dict[bytes, Subscription] = {}
        self._unconfirmed: Counter[bytes] = Counter()
        self._confirmed: set[bytes] = set()  # channels of which the logs are to be read
        self._commands: asyncio.Queue[Command] | None = None  # while there is a connection
        self._prefix = ""  # "S" for the sharded commands
        self._is_current = False  # all listeners have been told all
        self._failures = 0
        self._following: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to connect."""
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Tell nobody anything more."""
        for room in self.rooms:
            self.unsubscribe(room)
        if self._following is not None:
            await stop(self._following)

    async def subscribe(self, room: str, listener: Listener, deadline_s: float) -> Position:
        """Tell listener of a room from now on. Raises HomeUnreachable."""
        channel = self._name_channel(room).encode()
        subscription = self._subscriptions[channel] = Subscription(room, listener)
        self._ask("SUBSCRIBE", channel)
        try:
            async with asyncio.timeout(deadline_s):
                return await subscription.collect()
        except TimeoutError:
            self._end(channel, subscription)
            raise HomeUnreachable(f"{self._link.address} is not reached") from None
        except (HomeUnreachable, asyncio.CancelledError):
            self._end(channel, subscription)
            raise

    def unsubscribe(self, room: str) -> None:
        """Tell the room's listener nothing more."""
        channel = self._name_channel(room).encode()
        if subscription := self._subscriptions.get(channel):
            self._end(channel, subscription)

    def position(self, room: str) -> Position | None:
        """Return how far this node has heard of a room, None where it does not listen."""
        subscription = self._subscriptions.get(self._name_channel(room).encode())
        return None if subscription is None else subscription.position

    @property
    def rooms(self) -> list[str]:
        """The rooms that have a listener."""
        return [subscription.room for subscription in self._subscriptions.values()]

    def _end(self, channel: bytes, subscription: Subscription) -> None:
        """End a subscription, but none that has taken its place."""
        subscription.drop()
        if self._subscriptions.get(channel) is subscription:
            del self._subscriptions[channel]
            self._ask("UNSUBSCRIBE", channel)

    def _ask(self, command: str, channel: bytes) -> None:
        """Send a command; the next connection begins with all subscriptions that are left."""
        if self._commands is not None:
            if command == "SUBSCRIBE":
                self._unconfirmed[channel] += 1
            self._commands.put_nowait((self._prefix + command, channel))

    async def _follow(self) -> None:
        """Connect, and again, for ever."""
        while True:
            with contextlib.suppress(HomeUnreachable, *LOST):
                await self._serve()
            self._is_current = False
            for subscription in list(self._subscriptions.values()):
                subscription.interrupt()
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures))

    async def _serve(self) -> None:
        """Serve one connection until it is lost, which raises."""
        [is_sharded] = await self._link.run(Call(HAS_SHARDED_CHANNELS))
        self._prefix = "S" if is_sharded else ""
        connection = self._link.make_connection()
        writing: asyncio.Task[None] | None = None
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            commands: asyncio.Queue[Command] = asyncio.Queue()
            self._commands = commands
            self._unconfirmed.clear()
            self._confirmed.clear()
            for channel in self._subscriptions:
                self._ask("SUBSCRIBE", channel)
            writing = asyncio.create_task(self._write(connection, commands))
            await self._read(connection)
        finally:
            self._commands = None
            if writing is not None:
                await stop(writing)
            await connection.disconnect()

    async def _write(self, connection: Connection, commands: asyncio.Queue[Command]) -> None:
        """Send the commands as they come, and a PING where there are none."""
        with contextlib.suppress(*LOST):  # whoever reads will find it lost
            while True:
                command: Command = ("PING",)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PING_INTERVAL_S):
                        command = await commands.get()
                await connection.send_command(*command, check_health=False)

    async def _read(self, connection: Connection) -> None:
        while self._unconfirmed:  # what comes before all is heard is in the logs, too
            await self._receive(connection)
        self._confirmed.clear()
        await self._catch_up(list(self._subscriptions.values()))
        self._is_current = True
        self._failures = 0
        self._on_connected()
        while True:
            await self._receive(connection)

    async def _receive(self, connection: Connection) -> None:
        silence_s = 2 * PING_INTERVAL_S
        reply = await connection.read_response(disable_decoding=True, timeout=silence_s)
        if reply is None:
            raise TimeoutError("the server is silent")
        match reply:
            case [b"message" | b"smessage", bytes(channel), bytes(octets)]:
                await self._take(channel, octets)
            case [b"subscribe" | b"ssubscribe", bytes(channel), _]:
                await self._confirm(channel)
            case [b"unsubscribe" | b"sunsubscribe", bytes(channel), _] if (
                channel in self._subscriptions and not self._unconfirmed[channel]
            ):
                raise ConnectionError("the server has ended a subscription")
            case [b"pong", _] if self._is_current:
                await self._catch_up([one for one in self._subscriptions.values() if one.is_stale])

    async def _take(self, channel: bytes, octets: bytes) -> None:
        try:
            message = decode_message(octets)
        except ValueError:  # not ours; were it a publication, the next one shows that it is missed
            return
        subscription = self._subscriptions.get(channel)
        if subscription is not None and not subscription.take(message):
            await self._catch_up([subscription])

    async def _confirm(self, channel: bytes) -> None:
        """Take that the server has subscribed us, once more than it has answered before.

        While it is to confirm more, their logs are read together: one after the other took 1.3 ms
        each, so that of 10,000 rooms joined at once most were given up.
        """
        self._unconfirmed[channel] -= 1
        if not self._unconfirmed[channel]:
            del self._unconfirmed[channel]
            self._confirmed.add(channel)
        is_enough = not self._unconfirmed or len(self._confirmed) >= _ROOMS_AT_ONCE
        if self._is_current and is_enough:
            await self._read_confirmed()

    async def _read_confirmed(self) -> None:
        channels, self._confirmed = self._confirmed, set()
        found = [self._subscriptions.get(channel) for channel in channels]
        await self._catch_up([one for one in found if one is not None])

    async def _catch_up(self, subscriptions: Sequence[Subscription]) -> None:
        """Tell the listeners what the logs have that the channels have not brought.

        A log that is refused is that of one room, and is asked for again with the next pong.
        """
        for i in range(0, len(subscriptions), _ROOMS_AT_ONCE):
            some = subscriptions[i : i + _ROOMS_AT_ONCE]
            for subscription, log in zip(some, await self._read_logs(some), strict=True):
                if isinstance(log, Refused):
                    subscription.refuse(log)
                else:
                    subscription.catch_up(log)

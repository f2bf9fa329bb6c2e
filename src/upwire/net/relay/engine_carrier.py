"""Carries a tunnel's octets with the compiled engine, which the asyncio loop drives."""

from __future__ import annotations

import asyncio
import os
from weakref import WeakKeyDictionary

from upwire.errors import StreamError
from upwire.net.relay import _engine
from upwire.net.relay.carrier import Observer, Side
from upwire.net.stream import Stream
from upwire.wire._codec import FrameCounter


class EngineCarrier:
    """Lends the sockets of both Streams to the engine; counters and streams: downstream first.

    Raises OSError where the system has no descriptors left for that.
    """

    __slots__ = ("_driver", "_halves")

    def __init__(
        self,
        observer: Observer,
        streams: tuple[Stream, Stream],
        counters: tuple[FrameCounter, FrameCounter],
    ) -> None:
        self._driver = _driver_of(asyncio.get_running_loop())
        self._halves: dict[Side, _Half] = {}
        try:
            for side, stream, target, counter in zip(
                Side, streams, reversed(streams), counters, strict=True
            ):
                self._halves[side] = _Half(observer, side, stream, target, counter)
            self._driver.add(*self._halves.values())
        except OSError:
            self._give_back()
            raise

    @staticmethod
    def can_carry(downstream: Stream, upstream: Stream) -> bool:
        """Whether the engine is there, and both Streams can lend their sockets."""
        return _engine.is_available() and downstream.can_lend and upstream.can_lend

    def start(self) -> None:
        """Begin, with what both Streams have already read."""
        for side, half in self._halves.items():
            half.start()
            self._driver.give(self._halves[side.opposite], half.early)

    async def stop(self) -> None:
        """Give both Streams back, in pull mode, with what they have not taken yet."""
        self._give_back()

    def insert(self, side: Side, frame: bytes, *, is_last: bool) -> None:
        """Send a frame of ours to a side, behind the frame that is under way to it."""
        self._driver.insert(self._halves[side], frame, is_last=is_last)

    def last_moved_at_s(self) -> float:
        """Return when an octet came or was taken last."""
        moved_at_s: float = max(half.connection.moved_at_s for half in self._halves.values())
        return moved_at_s

    def _give_back(self) -> None:
        for half in self._halves.values():
            self._driver.remove(half)
        self._driver.leave_if_unused()


class _Half:
    """One of the two connections: hears of its Stream's loss, and what the engine has to tell."""

    __slots__ = ("_is_end_told", "_observer", "_side", "_target", "connection", "early", "stream")

    def __init__(
        self,
        observer: Observer,
        side: Side,
        stream: Stream,
        target: Stream,
        counter: FrameCounter,
    ) -> None:
        self._observer = observer
        self._side = side
        self._target = target
        self._is_end_told = False
        self.stream = stream
        self.early = b""  # what the Stream had read before
        self.connection = _engine.Connection(stream.lend(), counter, self)

    def start(self) -> None:
        self.stream.push_to(self)

    def octets_received(self, octets: bytes) -> None:
        self.early += octets

    def eof_received(self) -> None:
        """The engine meets the same end, behind what was received before it."""

    def stream_lost(self, error: StreamError | None) -> None:
        self._observer.note_loss(self._side, error)

    def note_news(self) -> None:
        """Pass on what the engine found."""
        connection = self.connection
        if connection.counter.is_over_limit:
            self._observer.note_limit(self._side)
        if connection.is_done and not self._is_end_told:
            self._is_end_told = True
            can_go_on = not self._target.is_closed
            if can_go_on:
                self._target.write_eof()
            self._observer.note_end(self._side, can_go_on=can_go_on)
        if connection.error_number:
            error = StreamError(os.strerror(connection.error_number), doing="relaying")
            self._observer.note_loss(self._side, None if connection.has_ended else error)


class _Driver:
    """Lets a loop drive an engine, from its first tunnel to its last."""

    __slots__ = ("__weakref__", "_engine", "_is_scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = _engine.Engine()
        self._is_scheduled = False
        loop.add_reader(self._engine.descriptor, self._step)

    def add(self, one: _Half, two: _Half) -> None:
        now_s = asyncio.get_running_loop().time()
        self._engine.add(one.connection, two.connection, now_s=now_s)

    def give(self, target: _Half, octets: bytes) -> None:
        self._engine.give(target.connection, octets)
        self._schedule()

    def insert(self, target: _Half, frame: bytes, *, is_last: bool) -> None:
        self._engine.insert(target.connection, frame, is_last=is_last)
        self._schedule()

    def remove(self, half: _Half) -> None:
        """Take a connection out, and give its Stream back."""
        if waiting := self._engine.remove(half.connection):
            half.stream.write(waiting)
        half.stream.take_back()
        half.stream.push_to(None)

    def leave_if_unused(self) -> None:
        """Without tunnels, leave the loop: nothing of the engine is kept."""
        loop = asyncio.get_running_loop()
        if not len(self._engine) and _drivers.get(loop) is self:
            del _drivers[loop]
            loop.remove_reader(self._engine.descriptor)
            self._engine.close()

    def _schedule(self) -> None:
        """Step once more where the descriptor does not say that there is something to do."""
        if self._engine.is_busy and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._step_on)

    def _step_on(self) -> None:
        self._is_scheduled = False
        self._step()

    def _step(self) -> None:
        for connection in self._engine.step(asyncio.get_running_loop().time()):
            connection.owner.note_news()
        self._schedule()


_drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Driver] = WeakKeyDictionary()


def _driver_of(loop: asyncio.AbstractEventLoop) -> _Driver:
    """Return the loop's driver, made for its first tunnel."""
    driver = _drivers.get(loop)
    if driver is None:
        driver = _drivers[loop] = _Driver(loop)
    return driver

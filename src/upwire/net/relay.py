"""The tunnel's data plane: two Streams, octets both ways, frames counted as they pass.

Octets are pushed from one Stream into the other. A direction whose target does not take them
stops reading its source, so that no more is held than both Streams' buffers.
"""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass

from upwire.errors import StreamError
from upwire.net.stream import Stream
from upwire.wire._codec import FrameCounter


class Side(enum.Enum):
    """Which of the two connections."""

    DOWNSTREAM = enum.auto()
    UPSTREAM = enum.auto()


class Cause(enum.Enum):
    """Why a relay ended."""

    ENDED = enum.auto()  # both directions ended, or one of a connection without half-close
    LOST = enum.auto()
    IDLE = enum.auto()


@dataclass(frozen=True, slots=True)
class RelayEnd:
    """How a relay ended.

    side: the connection that ended its direction first, or was lost; None where it was idle.
    error: what was lost, where the cause is LOST.
    """

    cause: Cause
    side: Side | None = None
    error: StreamError | None = None


class Relay:
    """Carries octets between two Streams, first those that each has read already.

    idle_timeout_s: how long no octet may move in either direction; None: for ever.
    counts_frames: whether the octets are WebSocket frames; otherwise only octets are counted.

    from_downstream, from_upstream: the counters, exact at any time.
    """

    def __init__(
        self,
        downstream: Stream,
        upstream: Stream,
        *,
        idle_timeout_s: float | None,
        counts_frames: bool = True,
    ) -> None:
        self.from_downstream = FrameCounter(counts_frames=counts_frames)
        self.from_upstream = FrameCounter(counts_frames=counts_frames)
        self._idle_timeout_s = idle_timeout_s
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[RelayEnd] = self._loop.create_future()
        self._ended: list[Side] = []  # whose direction has ended, in that order
        self._moved_at_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._directions = (
            _Direction(self, Side.DOWNSTREAM, downstream, upstream, self.from_downstream),
            _Direction(self, Side.UPSTREAM, upstream, downstream, self.from_upstream),
        )

    async def run(self) -> RelayEnd:
        """Relay until both directions have ended, a connection is lost, or nothing moves.

        A half-close is passed on behind the octets before it. Both Streams stay the caller's:
        to be closed, which sends what is still on its way. To be called once.
        """
        self.note_movement()
        self._watch_idle()
        try:
            for direction in self._directions:
                direction.start()
            return await self._end
        finally:
            if self._timer is not None:
                self._timer.cancel()
            drains = [task for direction in self._directions if (task := direction.stop())]
            if drains:
                await asyncio.wait(drains)

    def note_movement(self) -> None:
        """Begin the idle time anew."""
        self._moved_at_s = self._loop.time()

    def note_end(self, side: Side, *, can_go_on: bool) -> None:
        """A side sends nothing more, and the other one was told if it has half-close."""
        self._ended.append(side)
        if len(self._ended) == 2 or not can_go_on:
            self._finish(RelayEnd(Cause.ENDED, self._ended[0]))

    def note_loss(self, side: Side, error: StreamError | None) -> None:
        """A connection is gone; where error is None, after its octets had ended."""
        if error is None:
            self._finish(RelayEnd(Cause.ENDED, self._ended[0] if self._ended else side))
        else:
            self._finish(RelayEnd(Cause.LOST, side, error))

    def _finish(self, end: RelayEnd) -> None:
        if not self._end.done():
            self._end.set_result(end)

    def _watch_idle(self) -> None:
        """End the relay if nothing moved for the idle time, or look again when it may have."""
        if self._idle_timeout_s is None:
            return
        for direction in self._directions:
            direction.note_drained()
        due_at_s = self._moved_at_s + self._idle_timeout_s
        if due_at_s > self._loop.time():
            self._timer = self._loop.call_at(due_at_s, self._watch_idle)
        else:
            self._finish(RelayEnd(Cause.IDLE))


class _Direction:
    """One direction of a relay: the Sink of the source, the writer of the target."""

    __slots__ = ("_counter", "_drain", "_relay", "_side", "_source", "_target", "_waiting_octets")

    def __init__(
        self, relay: Relay, side: Side, source: Stream, target: Stream, counter: FrameCounter
    ) -> None:
        self._relay = relay
        self._side = side
        self._source = source
        self._target = target
        self._counter = counter
        self._drain: asyncio.Task[None] | None = None  # while the target takes nothing
        self._waiting_octets = 0  # of the target's buffer, when it was looked at last

    def start(self) -> None:
        self._source.push_to(self)

    def stop(self) -> asyncio.Task[None] | None:
        """Give the source back; return the task that ends with it, if there is one."""
        self._source.push_to(None)
        if self._drain is not None:
            self._drain.cancel()
        return self._drain

    def octets_received(self, octets: bytes) -> None:
        self._relay.note_movement()
        self._target.write(self._counter.feed(octets))
        if not self._target.is_writable_now and self._drain is None:
            self._source.pause()
            self._waiting_octets = self._target.write_buffer_octets
            self._drain = asyncio.create_task(self._resume_when_drained())

    def eof_received(self) -> None:
        self._target.write(self._counter.take_held())
        can_go_on = self._target.can_write_eof and not self._target.is_closed
        if can_go_on:
            self._target.write_eof()
        self._relay.note_end(self._side, can_go_on=can_go_on)

    def stream_lost(self, error: StreamError | None) -> None:
        self._relay.note_loss(self._side, error)

    def note_drained(self) -> None:
        """A target that holds its source up, but took octets since the last look, is not idle."""
        if self._drain is not None:
            before, self._waiting_octets = self._waiting_octets, self._target.write_buffer_octets
            if self._waiting_octets < before:
                self._relay.note_movement()

    async def _resume_when_drained(self) -> None:
        try:
            await self._target.drain(doing="relaying")
        except StreamError as error:
            other = Side.UPSTREAM if self._side is Side.DOWNSTREAM else Side.DOWNSTREAM
            self._relay.note_loss(other, None if self._target.is_eof else error)
        else:
            self._drain = None
            self._relay.note_movement()
            self._source.resume()

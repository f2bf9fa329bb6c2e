"""Carries a tunnel's octets from Stream to Stream, where nothing is compiled or to be lent."""

from __future__ import annotations

import asyncio

from upwire.errors import StreamError
from upwire.net.relay.carrier import Observer, Side
from upwire.net.stream import Stream
from upwire.wire._frame_counter import FrameCounter


class StreamCarrier:
    """Pushes what one Stream receives into the other; counters and streams: downstream first."""

    __slots__ = ("_directions", "_first_to_close", "_first_to_end")

    def __init__(
        self,
        observer: Observer,
        streams: tuple[Stream, Stream],
        counters: tuple[FrameCounter, FrameCounter],
    ) -> None:
        self._first_to_end: Side | None = None
        self._first_to_close: Side | None = None
        self._directions = {
            side: _Direction(observer, self, side, source, target, counter)
            for side, source, target, counter in zip(
                Side, streams, reversed(streams), counters, strict=True
            )
        }

    def start(self) -> None:
        """Begin, with what both Streams have already read."""
        for direction in self._directions.values():
            direction.start()

    def stop(self) -> None:
        """Close both connections, each behind what it has not taken yet."""
        for direction in self._directions.values():
            direction.stop().close()

    def abort(self) -> None:
        """Close both connections at once."""
        for direction in self._directions.values():
            direction.stop().abort()

    def insert(self, side: Side, frame: bytes, *, is_last: bool) -> None:
        """Send a frame of ours to a side, behind the frame that is under way to it."""
        self._directions[side.opposite].insert(frame, is_last=is_last)

    def last_moved_at_s(self) -> float:
        """Return when an octet came, or was seen to be taken, last."""
        return max(direction.last_moved_at_s() for direction in self._directions.values())

    def first_to_end(self) -> Side | None:
        """Return the side that ended its direction first."""
        return self._first_to_end

    def first_to_close(self) -> Side | None:
        """Return the side whose Close frame passed first."""
        return self._first_to_close

    def is_truncated(self, side: Side) -> bool:
        """Whether a side's end came without the alert that TLS has for it."""
        return self._directions[side].is_truncated

    def note_end(self, side: Side) -> None:
        """Take from a direction that it has ended."""
        if self._first_to_end is None:
            self._first_to_end = side

    def note_close(self, side: Side) -> None:
        """Take from a direction that a Close has passed."""
        if self._first_to_close is None:
            self._first_to_close = side


class _Direction:
    """One direction of a relay: the Sink of the source, the writer of the target."""

    __slots__ = (
        "_counter",
        "_drain",
        "_inserts",
        "_is_closed",
        "_is_closing",
        "_loop",
        "_moved_at_s",
        "_observer",
        "_order",
        "_side",
        "_source",
        "_target",
        "_waiting_octets",
    )

    def __init__(
        self,
        observer: Observer,
        order: StreamCarrier,
        side: Side,
        source: Stream,
        target: Stream,
        counter: FrameCounter,
    ) -> None:
        self._observer = observer
        self._order = order  # in which things happen
        self._side = side
        self._source = source
        self._target = target
        self._counter = counter
        self._loop = asyncio.get_running_loop()
        self._moved_at_s = self._loop.time()
        self._drain: asyncio.Task[None] | None = None  # while the target takes nothing
        self._waiting_octets = 0  # of the target's buffer, when it was looked at last
        self._inserts = b""  # frames of ours, for the end of the frame that is under way
        self._is_closing = False  # the last of them is a Close, or the source has ended
        self._is_closed = False  # and the target was told

    def start(self) -> None:
        self._source.push_to(self)

    def stop(self) -> Stream:
        """Hear of the source no more, and return it."""
        self._source.push_to(None)
        if self._drain is not None:
            self._drain.cancel()
        return self._source

    def insert(self, frame: bytes, *, is_last: bool) -> None:
        if not self._is_closing:
            self._inserts += frame
            self._is_closing = is_last
            if not self._counter.remaining:
                self._send_inserts()

    @property
    def is_truncated(self) -> bool:
        return self._source.is_truncated

    def last_moved_at_s(self) -> float:
        """A target that holds its source up, but took octets since the last look, is not idle."""
        if self._drain is not None:
            before, self._waiting_octets = self._waiting_octets, self._target.write_buffer_octets
            if self._waiting_octets < before:
                self._note_movement()
        return self._moved_at_s

    def octets_received(self, octets: bytes) -> None:
        self._note_movement()
        if self._inserts:
            octets = self._finish_frame(octets)
        if octets and not self._is_closed and not self._counter.is_over_limit:
            self._target.write(self._counter.feed(octets))
            if self._counter.close_code is not None:
                self._order.note_close(self._side)
            if self._counter.is_over_limit:
                self._observer.note_limit(self._side)
        if not self._target.is_writable_now and self._drain is None:
            self._source.pause()
            self._waiting_octets = self._target.write_buffer_octets
            self._drain = asyncio.create_task(self._resume_when_drained())

    def eof_received(self) -> None:
        if not self._is_closed:
            self._target.write(self._counter.take_held())
        can_go_on = self._target.can_write_eof and not self._target.is_closed
        if can_go_on:
            self._target.write_eof()
        self._is_closing = self._is_closed = True
        self._order.note_end(self._side)
        self._observer.note_end(self._side, can_go_on=can_go_on)

    def stream_lost(self, error: StreamError | None) -> None:
        self._observer.note_loss(self._side, None if self._source.is_eof else error)

    def _finish_frame(self, octets: bytes) -> bytes:
        """Pass on the rest of the frame, then our own if it has ended; return what is behind."""
        n = self._counter.finish_frame(len(octets))
        self._target.write(octets[:n])
        if not self._counter.remaining:
            self._send_inserts()
        return octets[n:]

    def _send_inserts(self) -> None:
        self._target.write(self._inserts)
        self._inserts = b""
        self._is_closed = self._is_closing

    def _note_movement(self) -> None:
        self._moved_at_s = self._loop.time()

    async def _resume_when_drained(self) -> None:
        try:
            await self._target.drain(doing="relaying")
        except StreamError as error:
            loss = None if self._target.is_eof else error
            self._observer.note_loss(self._side.opposite, loss)
        else:
            self._drain = None
            self._note_movement()
            self._source.resume()

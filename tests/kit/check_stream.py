"""What every pair of connected Streams does, whatever they stand on.

CHECKS are for all; HALF_CLOSE_CHECKS for those whose directions end one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from upwire.errors import LocalProtocolError, StreamError
from upwire.net.stream import READ_HIGH_OCTETS, Stream

Check = Callable[[Stream, Stream], Awaitable[None]]
Pair = tuple[Stream, Stream]

DEADLINE_S = 5.0
SHORT_S = 0.01
ONE_RECEIVE_OCTETS = 256 * 1024  # what asyncio takes off a socket at once


async def run_check(check: Check, make_pair: Callable[[], Awaitable[Pair]]) -> None:
    """Check a pair within a deadline, and leave nothing of it open."""
    near, far = await make_pair()
    try:
        async with asyncio.timeout(4 * DEADLINE_S):
            await check(near, far)
    finally:
        for stream in (near, far):
            stream.abort()
            await stream.wait_closed()


def name_of(check: Check) -> str:
    """Return what a check is called in the list of tests."""
    return getattr(check, "__name__", "").removeprefix("check_")


class RecordingSink:
    """Writes down what it is told; pauses its stream behind each delivery if asked to."""

    def __init__(self, stream: Stream, *, pauses: bool = False) -> None:
        self.stream = stream
        self.pauses = pauses
        self.received = b""
        self.told: list[str] = []
        self.error: StreamError | None = None
        self._changed = asyncio.Event()

    def octets_received(self, octets: bytes) -> None:
        self.received += octets
        self._note("octets")
        if self.pauses:
            self.stream.pause()

    def eof_received(self) -> None:
        self._note("eof")

    def stream_lost(self, error: StreamError | None) -> None:
        self.error = error
        self._note("lost")

    def _note(self, what: str) -> None:
        self.told.append(what)
        self._changed.set()

    async def until(self, is_reached: Callable[[], bool]) -> None:
        """Wait for something that is told."""
        async with asyncio.timeout(DEADLINE_S):
            while not is_reached():
                self._changed.clear()
                await self._changed.wait()


async def read_octets(stream: Stream, octets: int) -> bytes:
    """Read at least so many."""
    received = b""
    while len(received) < octets:
        more = await stream.read(timeout_s=DEADLINE_S)
        assert more, "ended too soon"
        received += more
    return received


async def fill(stream: Stream) -> int:
    """Write until the peer, who does not read, holds us back; return how many octets."""
    written = 0
    while stream.is_writable_now:
        stream.write(b"x" * 65536)
        written += 65536
        await asyncio.sleep(0)
    return written


async def send_for_ever(stream: Stream) -> None:
    while True:
        stream.write(b"x" * 65536)
        await stream.drain(doing="sending")
        await asyncio.sleep(0)


async def check_octets_pass_both_ways(near: Stream, far: Stream) -> None:
    near.write(b"to far")
    far.write(b"to near")
    assert await read_octets(far, 6) == b"to far"
    assert await read_octets(near, 7) == b"to near"


async def check_addresses_mirror(near: Stream, far: Stream) -> None:
    assert near.local_address == far.peer_address
    assert far.local_address == near.peer_address


async def check_end_comes_behind_the_octets(near: Stream, far: Stream) -> None:
    near.write(b"last words")
    near.close()
    assert near.is_closed
    assert await read_octets(far, 10) == b"last words"
    assert await far.read(timeout_s=DEADLINE_S) == b""
    assert await far.read() == b""
    assert far.is_eof
    await near.wait_closed()
    await near.wait_closed()


async def check_close_sends_what_is_left(near: Stream, far: Stream) -> None:
    written = await fill(near)
    assert near.write_buffer_octets > 0
    near.close()
    near.close()
    assert len(await read_octets(far, written)) == written
    assert await far.read(timeout_s=DEADLINE_S) == b""
    await near.wait_closed()


async def check_a_closed_stream_says_so(near: Stream, far: Stream) -> None:
    reader = asyncio.create_task(near.read(doing="reading a head"))
    await asyncio.sleep(0)
    near.close()
    with pytest.raises(StreamError, match="connection is closed while reading a head"):
        await reader
    near.write(b"vanishes")
    near.unread(b"vanishes")
    with pytest.raises(StreamError) as caught:
        await near.read()
    assert not caught.value.is_timeout
    with pytest.raises(StreamError):
        await near.drain()
    assert not near.is_writable_now
    assert near.unread_octets == 0


async def check_abort_cuts_both_sides(near: Stream, far: Stream) -> None:
    await fill(near)
    drainer = asyncio.create_task(near.drain())
    await asyncio.sleep(0)
    near.abort()
    await near.wait_closed()
    near.abort()
    with pytest.raises(StreamError, match="connection is closed"):
        await drainer
    with pytest.raises(StreamError):
        await near.read()
    assert near.write_buffer_octets == 0
    sink = RecordingSink(far)
    far.push_to(sink)
    await sink.until(lambda: "eof" in sink.told or "lost" in sink.told)


async def check_a_peer_that_is_gone_is_noticed(near: Stream, far: Stream) -> None:
    far.abort()
    with pytest.raises(StreamError) as caught:
        await asyncio.wait_for(send_for_ever(near), DEADLINE_S)
    assert caught.value.doing == "sending"
    assert near.is_closed or near.is_eof


async def check_back_pressure(near: Stream, far: Stream) -> None:
    written = await fill(near)
    assert far.unread_octets <= READ_HIGH_OCTETS + ONE_RECEIVE_OCTETS
    with pytest.raises(StreamError, match=r"timed out after 0.01 s while sending") as caught:
        await near.drain(timeout_s=SHORT_S, doing="sending")
    assert caught.value.is_timeout
    drainer = asyncio.create_task(near.drain(timeout_s=DEADLINE_S))
    received = await read_octets(far, written)
    await drainer
    assert near.is_writable_now
    assert len(received) == written


async def check_read_deadline(near: Stream, far: Stream) -> None:
    with pytest.raises(StreamError, match=r"timed out after 0.01 s while waiting") as caught:
        await near.read(timeout_s=SHORT_S, doing="waiting")
    assert caught.value.is_timeout
    far.write(b"late")
    assert await near.read(timeout_s=DEADLINE_S) == b"late"


async def check_a_cancelled_read_loses_nothing(near: Stream, far: Stream) -> None:
    reader = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert reader.cancelled()
    far.write(b"kept")
    assert await near.read(timeout_s=DEADLINE_S) == b"kept"


async def check_one_reader_at_a_time(near: Stream, far: Stream) -> None:
    reader = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    with pytest.raises(LocalProtocolError):
        await near.read()
    with pytest.raises(LocalProtocolError):
        near.push_to(RecordingSink(near))
    far.write(b"x")
    assert await reader == b"x"
    near.push_to(RecordingSink(near))
    with pytest.raises(LocalProtocolError):
        await near.read()


async def check_unread_octets_come_first(near: Stream, far: Stream) -> None:
    far.write(b"head body")
    assert await read_octets(near, 9) == b"head body"
    near.unread(b"body")
    near.unread(b"")
    assert near.unread_octets == 4
    assert await near.read() == b"body"
    sink = RecordingSink(near)
    near.unread(b"first ")
    near.push_to(sink)
    near.unread(b"second ")
    far.write(b"third")
    await sink.until(lambda: len(sink.received) >= 18)
    assert sink.received == b"first second third"


async def check_push_delivers_all_in_order(near: Stream, far: Stream) -> None:
    far.write(b"early ")
    near.unread(await read_octets(near, 6))
    sink = RecordingSink(near)
    near.push_to(sink)
    far.write(b"late")
    far.close()
    await sink.until(lambda: "eof" in sink.told)
    near.close()
    await sink.until(lambda: "lost" in sink.told)
    assert sink.received == b"early late"
    assert [what for what in sink.told if what != "octets"] == ["eof", "lost"]
    assert sink.error is None


async def check_a_paused_sink_holds_the_peer(near: Stream, far: Stream) -> None:
    sink = RecordingSink(near, pauses=True)
    near.push_to(sink)
    far.write(b"one")
    await sink.until(lambda: sink.received == b"one")
    written = await fill(far)
    far.close()
    assert sink.received == b"one"
    sink.pauses = False
    near.resume()
    await sink.until(lambda: "eof" in sink.told)
    assert len(sink.received) == 3 + written


async def check_a_sink_may_leave(near: Stream, far: Stream) -> None:
    near.push_to(RecordingSink(near))
    near.push_to(None)
    far.write(b"pulled")
    assert await near.read(timeout_s=DEADLINE_S) == b"pulled"


async def check_the_end_is_told_past_unread_octets(near: Stream, far: Stream) -> None:
    ended = asyncio.Event()
    near.on_end = ended.set
    far.write(b"early")
    far.close()
    await ended.wait()
    assert await near.read() == b"early"


async def check_half_close(near: Stream, far: Stream) -> None:
    assert near.can_write_eof
    near.write(b"question")
    near.write_eof()
    near.write_eof()
    with pytest.raises(LocalProtocolError):
        near.write(b"more")
    assert await read_octets(far, 8) == b"question"
    assert await far.read(timeout_s=DEADLINE_S) == b""
    far.write(b"answer")
    await far.drain()
    assert await read_octets(near, 6) == b"answer"
    far.close()
    with pytest.raises(StreamError, match="connection is closed"):
        await far.read()
    assert await near.read(timeout_s=DEADLINE_S) == b""


CHECKS: tuple[Check, ...] = (
    check_octets_pass_both_ways,
    check_addresses_mirror,
    check_end_comes_behind_the_octets,
    check_close_sends_what_is_left,
    check_a_closed_stream_says_so,
    check_abort_cuts_both_sides,
    check_a_peer_that_is_gone_is_noticed,
    check_back_pressure,
    check_read_deadline,
    check_a_cancelled_read_loses_nothing,
    check_one_reader_at_a_time,
    check_unread_octets_come_first,
    check_push_delivers_all_in_order,
    check_a_paused_sink_holds_the_peer,
    check_a_sink_may_leave,
    check_the_end_is_told_past_unread_octets,
)
HALF_CLOSE_CHECKS: tuple[Check, ...] = (check_half_close,)

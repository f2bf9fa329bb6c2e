"""The relay: octets both ways, half-close, back-pressure, deadlines, counters."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from kit import virtual_time
from kit.memory_stream import MemoryTransport, memory_pair
from kit.virtual_time import settle
from upwire.errors import StreamError
from upwire.net.relay import Cause, Relay, RelayEnd, RelayOptions, Side
from upwire.net.relay.relay import CLOSE_TIMEOUT_S
from upwire.net.stream import Stream
from upwire.wire._codec import build_frame

CHUNK = bytes(16 * 1024)
HELD_AT_MOST = 512 * 1024  # in the buffers of four Streams


class Tunnel:
    """A client and a backend with a relay between them."""

    def __init__(
        self,
        *,
        idle_timeout_s: float | None = 60.0,
        counts_frames: bool = True,
        limit_octets: int | None = None,
        client_half_closes: bool = True,
        backend_half_closes: bool = True,
    ) -> None:
        self.client, self.downstream = memory_pair(can_half_close=client_half_closes)
        self.upstream, self.backend = memory_pair(can_half_close=backend_half_closes)
        self.relay = Relay(
            RelayOptions(
                idle_timeout_s=idle_timeout_s,
                counts_frames=counts_frames,
                limit_octets=limit_octets,
            )
        )
        self.end: asyncio.Future[RelayEnd] = asyncio.get_running_loop().create_future()
        self.relay.start(self.downstream, self.upstream, self)

    def relay_ended(self, end: RelayEnd) -> None:
        self.end.set_result(end)

    @property
    def streams(self) -> tuple[Stream, ...]:
        return (self.client, self.downstream, self.upstream, self.backend)


@asynccontextmanager
async def tunnel(**options: Any) -> AsyncIterator[Tunnel]:  # Any: Tunnel's own arguments
    made = Tunnel(**options)
    try:
        yield made
    finally:
        made.relay.abort()
        await asyncio.wait([made.end])
        for stream in made.streams:
            stream.abort()
        await settle()


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run_test() -> None:
        virtual_time.run(test())

    run_test.__name__ = test.__name__
    return run_test


def transport_of(stream: Stream) -> MemoryTransport:
    return cast("MemoryTransport", stream.transport)


async def fill(sender: Stream) -> int:
    """Write until nothing is taken any more; return how many octets were."""
    written = 0
    while sender.is_writable_now:
        sender.write(CHUNK)
        written += len(CHUNK)
        await settle()
    return written


async def read_all(stream: Stream) -> bytes:
    octets = b""
    while piece := await stream.read():
        octets += piece
    return octets


@in_virtual_time
async def test_octets_go_both_ways_and_are_counted_as_they_pass() -> None:
    async with tunnel() as made:
        frame = build_frame(1, b"up", mask_key=b"1234")
        made.client.write(frame[:7])
        assert await made.backend.read() == frame[:7]
        relay = made.relay
        assert (relay.from_downstream.octets, relay.from_downstream.frames) == (7, 0)
        made.client.write(frame[7:])
        assert await made.backend.read() == frame[7:]
        made.backend.write(build_frame(9, b"") + build_frame(2, b"down"))
        assert await made.client.read() == b"\x89\x00\x82\x04down"
        assert (relay.from_downstream.messages, relay.from_downstream.control_frames) == (1, 0)
        assert (relay.from_upstream.messages, relay.from_upstream.control_frames) == (1, 1)


@in_virtual_time
async def test_what_was_read_before_comes_first() -> None:
    async with tunnel() as made:
        made.downstream.unread(b"early")
        made.client.write(b" late")
        await settle()
        assert await made.backend.read() == b"early late"


@in_virtual_time
async def test_a_header_in_pieces_is_passed_on_whole() -> None:
    async with tunnel() as made:
        for octet in build_frame(2, bytes(200)):
            made.backend.write(bytes([octet]))
            await settle()
        octets = await made.client.read()
        assert octets == build_frame(2, bytes(200))


@in_virtual_time
async def test_half_a_header_is_passed_on_at_the_end() -> None:
    async with tunnel() as made:
        made.backend.write(b"\x82\x7e\x01")
        await settle()
        assert made.relay.from_upstream.octets == 0
        made.backend.write_eof()
        assert await read_all(made.client) == b"\x82\x7e\x01"
        assert made.relay.from_upstream.octets == 3


@in_virtual_time
async def test_other_octets_than_frames() -> None:
    async with tunnel(counts_frames=False) as made:
        made.client.write(b"\x81\x00")
        await made.backend.read()
        assert (made.relay.from_downstream.octets, made.relay.from_downstream.frames) == (2, 0)


@in_virtual_time
async def test_a_half_close_travels_and_the_answer_still_comes() -> None:
    async with tunnel() as made:
        made.client.write(b"question")
        made.client.write_eof()
        assert await read_all(made.backend) == b"question"
        assert not made.end.done()
        made.backend.write(b"answer")
        made.backend.write_eof()
        assert await read_all(made.client) == b"answer"
        assert await made.end == RelayEnd(Cause.ENDED, Side.DOWNSTREAM)


@in_virtual_time
async def test_an_end_behind_much_that_is_in_flight() -> None:
    async with tunnel() as made:
        written = await fill(made.backend)
        made.backend.write_eof()
        await settle()
        assert not made.end.done()
        assert len(await read_all(made.client)) == written
        made.client.write_eof()
        assert await made.end == RelayEnd(Cause.ENDED, Side.UPSTREAM)


@in_virtual_time
async def test_the_end_of_a_side_without_half_close_ends_the_relay() -> None:
    async with tunnel(client_half_closes=False) as made:
        made.client.write(b"last")
        made.client.close()
        assert await made.end == RelayEnd(Cause.ENDED, Side.DOWNSTREAM)
        assert await made.backend.read() == b"last"


@in_virtual_time
async def test_an_end_that_the_other_side_cannot_be_told_alone() -> None:
    async with tunnel(client_half_closes=False) as made:
        made.backend.write(b"last")
        made.backend.write_eof()
        assert await made.end == RelayEnd(Cause.ENDED, Side.UPSTREAM)
        assert await read_all(made.client) == b"last"


@pytest.mark.parametrize("client_half_closes", [False, True])
def test_an_end_inside_a_header_loses_none_of_it(client_half_closes: bool) -> None:
    async def check() -> None:
        async with tunnel(client_half_closes=client_half_closes) as made:
            made.backend.write(b"\x81\x7e\x01")
            made.backend.write_eof()
            assert await read_all(made.client) == b"\x81\x7e\x01"

    virtual_time.run(check())


@in_virtual_time
async def test_a_lost_connection_is_named() -> None:
    async with tunnel() as made:
        await settle()
        transport_of(made.upstream).lose(ConnectionResetError(errno.ECONNRESET, "reset by peer"))
        end = await made.end
        assert (end.cause, end.side) == (Cause.LOST, Side.UPSTREAM)
        assert isinstance(end.error, StreamError)
        assert "reset by peer" in str(end.error)


@in_virtual_time
async def test_a_connection_that_is_lost_while_it_holds_the_other_one_up() -> None:
    async with tunnel() as made:
        await fill(made.client)
        await fill(made.backend)
        transport_of(made.upstream).lose(ConnectionResetError(errno.ECONNRESET, "reset by peer"))
        end = await made.end
        assert (end.cause, end.side) == (Cause.LOST, Side.UPSTREAM)


@in_virtual_time
async def test_an_end_while_the_other_direction_is_held_up() -> None:
    async with tunnel(client_half_closes=False) as made:
        await fill(made.backend)
        made.client.close()
        assert await made.end == RelayEnd(Cause.ENDED, Side.DOWNSTREAM)


@pytest.mark.parametrize("is_upward", [False, True])
def test_a_slow_reader_bounds_memory(is_upward: bool) -> None:
    async def check() -> None:
        async with tunnel() as made:
            sender, receiver = made.backend, made.client
            if is_upward:
                sender, receiver = receiver, sender
            written = await fill(sender)
            assert 0 < written <= HELD_AT_MOST
            sender.write_eof()
            assert await read_all(receiver) == bytes(written)

    virtual_time.run(check())


@in_virtual_time
async def test_both_directions_may_be_held_up_at_once() -> None:
    async with tunnel() as made:
        written = await fill(made.client), await fill(made.backend)
        made.client.write_eof()
        made.backend.write_eof()
        assert len(await read_all(made.client)) == written[1]
        assert len(await read_all(made.backend)) == written[0]
        assert (await made.end).cause is Cause.ENDED


@pytest.mark.parametrize("is_upward", [False, True])
def test_octets_of_either_direction_begin_the_idle_time_anew(is_upward: bool) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        async with tunnel(idle_timeout_s=60.0) as made:
            for _ in range(3):
                await asyncio.sleep(50)
                (made.client if is_upward else made.backend).write(b"x")
            await made.end
            assert loop.time() == pytest.approx(150.0 + 60.0)

    virtual_time.run(check())


@in_virtual_time
async def test_without_idle_time_a_relay_waits_for_ever() -> None:
    async with tunnel(idle_timeout_s=None) as made:
        await asyncio.sleep(10**6)
        assert not made.end.done()


@in_virtual_time
async def test_a_limit_does_not_wait_for_sides_that_say_nothing() -> None:
    loop = asyncio.get_running_loop()
    async with tunnel(limit_octets=10, idle_timeout_s=60.0) as made:
        await asyncio.sleep(5)
        made.backend.write(build_frame(2, bytes(11)))
        assert await made.end == RelayEnd(Cause.TOO_BIG, Side.UPSTREAM)
        assert loop.time() == pytest.approx(5.0 + CLOSE_TIMEOUT_S)
        assert (await made.client.read())[:1] == b"\x88"
        assert (await made.backend.read())[:1] == b"\x88"


@in_virtual_time
async def test_a_reader_that_takes_nothing_is_idle() -> None:
    loop = asyncio.get_running_loop()
    async with tunnel(idle_timeout_s=60.0) as made:
        await fill(made.backend)
        assert await made.end == RelayEnd(Cause.IDLE)
        assert loop.time() == pytest.approx(60.0)


@in_virtual_time
async def test_a_reader_that_takes_a_little_is_not() -> None:
    loop = asyncio.get_running_loop()
    async with tunnel(idle_timeout_s=60.0) as made:
        made.downstream.transport.set_write_buffer_limits(high=64 * 1024, low=0)
        await fill(made.backend)
        await asyncio.sleep(50)
        await made.client.read()
        await settle()
        assert not made.downstream.is_writable_now
        await made.end
        assert loop.time() == pytest.approx(120.0)

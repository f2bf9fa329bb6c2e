"""What both carriers of a relay do alike, in the clear and over TLS, on real sockets: Streams, and
the compiled engine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from kit.socket_stream import socket_streams
from kit.tls_stream import tls_streams
from upwire.errors import LocalProtocolError, StreamError
from upwire.net.relay import Cause, Relay, RelayEnd, RelayOptions, Side, _engine
from upwire.net.stream import Stream
from upwire.wire._codec import build_frame, mask
from upwire.wire.frames import CloseCode, Opcode, build_close

DEADLINE_S = 20.0
KEY = b"\x01\x02\x03\x04"
TOO_BIG = build_close(CloseCode.MESSAGE_TOO_BIG, "message is too big")
CHUNK = bytes(16 * 1024)

Carries = Callable[..., Any]  # Any: an asynchronous context manager of a Tunnel


class Tunnel:
    """A client and a backend with a relay between them."""

    def __init__(self, client: tuple[Stream, Stream], backend: tuple[Stream, Stream]) -> None:
        self.client, self.downstream = client
        self.upstream, self.backend = backend
        self.relay: Relay
        self.end: asyncio.Future[RelayEnd] = asyncio.get_running_loop().create_future()

    def begin(self, **options: Any) -> None:  # Any: RelayOptions' own arguments
        options = {"random_octets": lambda n: KEY[:n]} | options
        self.relay = Relay(RelayOptions(**options))
        self.relay.start(self.downstream, self.upstream, self)

    def relay_ended(self, end: RelayEnd) -> None:
        if not self.end.cancelled():  # the test has run out of time
            self.end.set_result(end)

    @property
    def streams(self) -> tuple[Stream, ...]:
        return (self.client, self.downstream, self.upstream, self.backend)


@dataclass(frozen=True)
class Way:
    """Which carrier, which sockets, and over which of them TLS."""

    uses_engine: bool
    family: socket.AddressFamily
    secured: tuple[Side, ...] = ()

    @asynccontextmanager
    async def tunnel(
        self, *, buffer_octets: int | None = None, **options: Any
    ) -> AsyncIterator[Tunnel]:
        client = await socket_streams(self.family, buffer_octets=buffer_octets)
        backend = await socket_streams(self.family, buffer_octets=buffer_octets)
        if Side.DOWNSTREAM in self.secured:
            client = await tls_streams(*client)
        if Side.UPSTREAM in self.secured:
            backend = await tls_streams(*backend)
        made = Tunnel(client, backend)
        begins = options.pop("begins", True)
        if begins:
            made.begin(uses_engine=self.uses_engine, **options)
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield made
        finally:
            if hasattr(made, "relay"):
                made.relay.abort()
                await asyncio.wait([made.end])
            for stream in made.streams:
                stream.abort()
                await stream.wait_closed()

    def __str__(self) -> str:
        words = [side.name.lower() for side in self.secured]
        return "-".join(["engine" if self.uses_engine else "streams", self.family.name, *words])


WAYS = [
    *(Way(False, family) for family in (socket.AF_INET, socket.AF_UNIX)),
    Way(False, socket.AF_INET, tuple(Side)),
]
if _engine.is_available():
    WAYS += [Way(True, family) for family in (socket.AF_INET, socket.AF_UNIX)]
    WAYS += [
        Way(True, socket.AF_INET, secured)
        for secured in ((Side.DOWNSTREAM,), (Side.UPSTREAM,), tuple(Side))
    ]
TCP_WAYS = [way for way in WAYS if way.family == socket.AF_INET]  # unix sockets are not reset
every_way = pytest.mark.parametrize("way", WAYS, ids=str)
every_tcp_way = pytest.mark.parametrize("way", TCP_WAYS, ids=str)


async def read_all(stream: Stream) -> bytes:
    octets = bytearray()
    while piece := await stream.read():
        octets += piece
    return bytes(octets)


async def read_exactly(stream: Stream, n: int) -> bytes:
    octets = b""
    while len(octets) < n:
        piece = await stream.read()
        assert piece, f"ended after {octets!r}"
        octets += piece
    assert len(octets) == n, octets
    return octets


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop run until it is so; the test's deadline ends a vain wait."""
    while not is_so():  # noqa: ASYNC110 - there is no event to be had for it
        await asyncio.sleep(0)


async def write_until_stopped(stream: Stream) -> int:
    """Write until nothing was taken for many turns; return how many octets were written."""
    written = 0
    for _ in range(200):
        while stream.is_writable_now:
            stream.write(CHUNK)
            written += len(CHUNK)
        await asyncio.sleep(0)
    return written


def in_pieces(octets: bytes, rng: random.Random) -> Iterator[bytes]:
    cuts = sorted(rng.choices(range(len(octets) + 1), k=rng.choice([0, 1, 5, 50])))
    for start, end in pairwise([0, *cuts, len(octets)]):
        yield octets[start:end]


@every_way
def test_octets_go_both_ways_and_are_counted_as_they_pass(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            relay = made.relay
            frame = build_frame(1, b"up", mask_key=KEY)
            made.client.write(frame[:7])
            assert await made.backend.read() == frame[:7]
            assert (relay.from_downstream.octets, relay.from_downstream.frames) == (7, 0)
            made.client.write(frame[7:])
            assert await made.backend.read() == frame[7:]
            made.backend.write(build_frame(9, b"") + build_frame(2, b"down"))
            assert await read_exactly(made.client, 8) == b"\x89\x00\x82\x04down"
            assert relay.from_downstream.messages == 1
            assert (relay.from_upstream.messages, relay.from_upstream.control_frames) == (1, 1)

    asyncio.run(main())


@every_way
def test_frames_octet_by_octet(way: Way) -> None:
    frames = [
        build_frame(1, bytes(3), is_final=False, mask_key=KEY),
        build_frame(9, b"", mask_key=KEY),
        build_frame(0, bytes(200), mask_key=KEY),
        build_frame(8, build_close(4000, "why"), mask_key=KEY),
    ]

    async def main() -> None:
        async with way.tunnel() as made:
            stream = b"".join(frames)
            received = b""
            for at in range(len(stream)):
                made.client.write(stream[at : at + 1])
                if made.relay.from_downstream.remaining:
                    received += await made.backend.read()
            made.client.write_eof()
            assert received + await read_all(made.backend) == stream
            counter = made.relay.from_downstream
            assert (counter.frames, counter.messages, counter.control_frames) == (4, 1, 2)
            assert (counter.close_code, counter.octets) == (4000, len(stream))

    asyncio.run(main())


@every_way
def test_what_was_read_before_comes_first(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(begins=False) as made:
            made.downstream.unread(b"\x82\x0aearly")
            made.upstream.unread(b"\x82\x7e")
            made.client.write(b" late")
            made.backend.write(b"\x00\x80" + bytes(128))
            await until(lambda: made.downstream.unread_octets > 7)
            made.begin(uses_engine=way.uses_engine)
            assert await read_exactly(made.backend, 12) == b"\x82\x0aearly late"
            assert await read_exactly(made.client, 132) == b"\x82\x7e\x00\x80" + bytes(128)

    asyncio.run(main())


@every_way
def test_half_a_header_is_passed_on_at_the_end(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.backend.write(b"\x82\x01x\x82\x7e\x01")
            assert await read_exactly(made.client, 3) == b"\x82\x01x"
            made.backend.write_eof()
            assert await read_all(made.client) == b"\x82\x7e\x01"
            assert made.relay.from_upstream.octets == 6

    asyncio.run(main())


@every_way
def test_a_half_close_travels_and_the_answer_still_comes(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.client.write(b"question")
            made.client.write_eof()
            assert await read_all(made.backend) == b"question"
            assert not made.end.done()
            made.backend.write(b"answer")
            made.backend.write_eof()
            assert await read_all(made.client) == b"answer"
            assert await made.end == RelayEnd(Cause.ENDED, Side.DOWNSTREAM)

    asyncio.run(main())


@every_way
def test_an_end_behind_much_that_is_in_flight(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(counts_frames=False, buffer_octets=65536) as made:
            written = await write_until_stopped(made.backend)
            made.backend.write_eof()
            await asyncio.sleep(0)
            assert not made.end.done()
            assert len(await read_all(made.client)) == written
            made.client.write_eof()
            assert await made.end == RelayEnd(Cause.ENDED, Side.UPSTREAM)

    asyncio.run(main())


@every_way
@pytest.mark.parametrize("side", list(Side))
def test_a_slow_reader_bounds_memory(way: Way, side: Side) -> None:
    async def main() -> None:
        async with way.tunnel(counts_frames=False, buffer_octets=65536) as made:
            sender, receiver = made.backend, made.client
            if side is Side.DOWNSTREAM:
                sender, receiver = receiver, sender
            written = await write_until_stopped(sender)
            assert 0 < written <= 2 * 1024 * 1024
            sender.write_eof()
            assert await read_all(receiver) == bytes(written)

    asyncio.run(main())


@every_way
def test_both_directions_may_be_held_up_at_once(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(counts_frames=False, buffer_octets=65536) as made:
            upward = await write_until_stopped(made.client)
            downward = await write_until_stopped(made.backend)
            made.client.write_eof()
            made.backend.write_eof()
            received = await asyncio.gather(read_all(made.client), read_all(made.backend))
            assert [len(octets) for octets in received] == [downward, upward]
            assert (await made.end).cause is Cause.ENDED

    asyncio.run(main())


@every_tcp_way
@pytest.mark.parametrize("side", list(Side))
def test_a_reset_is_named(way: Way, side: Side) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            lost = made.client if side is Side.DOWNSTREAM else made.backend
            reset(lost)
            end = await made.end
            assert (end.cause, end.side) == (Cause.LOST, side)
            assert isinstance(end.error, StreamError)
            assert "reset by peer" in end.error.message

    asyncio.run(main())


def reset(stream: Stream) -> None:
    sock = stream.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.abort()


@every_tcp_way
def test_a_reset_while_it_holds_the_other_side_up(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(counts_frames=False, buffer_octets=65536) as made:
            await write_until_stopped(made.client)
            reset(made.backend)
            end = await made.end
            assert (end.cause, end.side) == (Cause.LOST, Side.UPSTREAM)

    asyncio.run(main())


@every_way
def test_a_peer_that_closes_altogether(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.client.write(build_frame(1, b"last", mask_key=KEY))
            made.client.close()
            assert await read_all(made.backend) == build_frame(1, b"last", mask_key=KEY)
            while not made.end.done():
                made.backend.write(b"\x81\x00")
                await asyncio.sleep(0)
            assert await made.end == RelayEnd(Cause.ENDED, Side.DOWNSTREAM)

    asyncio.run(main())


@every_way
@pytest.mark.parametrize("spare", [0, 1])
def test_without_descriptors_the_streams_carry(
    way: Way, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = spare

    def duplicate(descriptor: int) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.EMFILE, "Too many open files")
        left -= 1
        return dup(descriptor)

    async def main() -> None:
        async with way.tunnel(begins=False) as made:
            with monkeypatch.context() as patch:
                patch.setattr(os, "dup", duplicate)
                made.downstream.unread(b"\x82\x05early")
                made.begin(uses_engine=way.uses_engine)
                await asyncio.sleep(0)
            assert await read_exactly(made.backend, 7) == b"\x82\x05early"
            made.backend.write(b"\x81\x00")
            assert await read_exactly(made.client, 2) == b"\x81\x00"

    dup = os.dup
    asyncio.run(main())


@every_way
def test_idle_time_ends_the_relay_and_both_connections(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(idle_timeout_s=0.05) as made:
            made.client.write(b"\x81\x00")
            assert await made.end == RelayEnd(Cause.IDLE)
            assert await read_all(made.backend) == b"\x81\x00"
            assert await read_all(made.client) == b""

    asyncio.run(main())


@every_way
def test_what_is_cut_ends_at_once(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.relay.abort()
            made.relay.abort()
            made.relay.close(CloseCode.GOING_AWAY)
            assert await made.end == RelayEnd(Cause.CUT)
            for stream in (made.client, made.backend):
                with contextlib.suppress(StreamError):
                    assert await stream.read() == b""
            made.relay.abort()

    asyncio.run(main())


@every_way
@pytest.mark.parametrize("first", [None, *Side])
def test_a_close_of_the_relays_own(way: Way, first: Side | None) -> None:
    """Both sides get it, whoever has closed before."""
    close = build_close(CloseCode.SERVICE_RESTART, "restart")

    async def main() -> None:
        async with way.tunnel() as made:
            made.backend.write(b"\x82\x05ab")
            assert await read_exactly(made.client, 4)
            if first is Side.DOWNSTREAM:
                made.client.write(build_frame(8, b"", mask_key=KEY))
                await read_exactly(made.backend, 6)
            elif first is Side.UPSTREAM:
                made.backend.write(b"cde\x88\x00")
                await read_exactly(made.client, 5)
            made.relay.close(CloseCode.SERVICE_RESTART, "restart")
            made.relay.close(CloseCode.GOING_AWAY)
            up = build_frame(8, close, mask_key=KEY)
            assert await read_exactly(made.backend, len(up)) == up
            if first is not Side.UPSTREAM:
                made.backend.write(b"cde")
            rest = b"" if first is Side.UPSTREAM else b"cde"
            down = rest + build_frame(8, close)
            assert await read_exactly(made.client, len(down)) == down
            made.client.write_eof()
            made.backend.write_eof()
            assert await made.end == RelayEnd(Cause.CLOSED, closer=first)

    asyncio.run(main())


@every_way
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("step", [1, 2, 100])
def test_who_closed_and_who_ended_first(way: Way, side: Side, step: int) -> None:
    """Exact for frames that are split anywhere; an inserted Ping and its Pong change nothing."""

    async def main() -> None:
        async with way.tunnel() as made:
            first, second = made.client, made.backend
            if side is Side.UPSTREAM:
                first, second = second, first
            close = build_frame(8, build_close(4001, "bye"), mask_key=KEY)
            for at in range(0, len(close), step):
                first.write(close[at : at + step])
                await asyncio.sleep(0)
            assert await read_exactly(second, len(close)) == close
            second.write(close)
            assert await read_exactly(first, len(close)) == close
            second.write_eof()
            assert await read_all(first) == b""
            first.write_eof()
            assert await made.end == RelayEnd(Cause.ENDED, side.opposite, closer=side)

    asyncio.run(main())


@every_way
def test_a_silent_tunnel_gets_pings_and_lives_by_their_answers(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(ping_interval_s=0.05, idle_timeout_s=0.2) as made:
            began_s = asyncio.get_running_loop().time()
            for _ in range(3):
                assert await read_exactly(made.client, 2) == b"\x89\x00"
                assert await read_exactly(made.backend, 6) == build_frame(9, b"", mask_key=KEY)
                made.client.write(build_frame(10, b"", mask_key=KEY))
                assert await read_exactly(made.backend, 6) == build_frame(10, b"", mask_key=KEY)
            answered_s = asyncio.get_running_loop().time()
            assert answered_s - began_s >= 0.14
            assert await made.end == RelayEnd(Cause.IDLE)
            assert asyncio.get_running_loop().time() - answered_s >= 0.19

    asyncio.run(main())


@every_tcp_way
def test_what_a_side_has_not_taken_when_the_other_is_lost_still_comes(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(counts_frames=False, buffer_octets=65536) as made:
            await write_until_stopped(made.backend)
            passed = made.relay.from_upstream.octets
            reset(made.backend)
            for _ in range(200):
                await asyncio.sleep(0)
            if not made.end.done():  # the upstream is not read: it shows when it is written
                made.client.write(b"x")  # and left unread it would have the close reset the client
            assert (await made.end).side is Side.UPSTREAM
            assert passed <= len(await read_all(made.client))

    asyncio.run(main())


@every_way
def test_what_moves_is_not_idle(way: Way) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with way.tunnel(idle_timeout_s=0.2) as made:
            began_s = loop.time()
            while loop.time() - began_s < 0.5:
                made.backend.write(b"\x81\x00")
                await made.client.read()
            assert not made.end.done()

    asyncio.run(main())


@every_way
def test_a_reader_that_takes_nothing_is_idle(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(idle_timeout_s=0.1, counts_frames=False) as made:
            while not made.end.done():
                await write_until_stopped(made.backend)
            assert await made.end == RelayEnd(Cause.IDLE)

    asyncio.run(main())


@every_way
@pytest.mark.parametrize("step", [1, 3, 10000])
@pytest.mark.parametrize("side", list(Side))
def test_a_message_that_is_too_long_closes_both_sides(way: Way, side: Side, step: int) -> None:
    key = KEY if side is Side.DOWNSTREAM else None
    fits = build_frame(1, bytes(90), is_final=False, mask_key=key) + build_frame(
        9, b"", mask_key=key
    )
    stream = fits + build_frame(0, bytes(11), mask_key=key) + b"never seen"

    async def main() -> None:
        async with way.tunnel(limit_octets=100) as made:
            sender, receiver = made.client, made.backend
            if side is Side.UPSTREAM:
                sender, receiver = receiver, sender
            for at in range(0, len(stream), step):
                sender.write(stream[at : at + step])
                await asyncio.sleep(0)
            close_down = build_frame(8, TOO_BIG)
            close_up = build_frame(8, TOO_BIG, mask_key=KEY)
            to_sender, to_receiver = close_down, close_up
            if side is Side.UPSTREAM:
                to_sender, to_receiver = close_up, close_down
            received = await read_exactly(receiver, len(fits) + len(to_receiver))
            assert received == fits + to_receiver
            assert await read_exactly(sender, len(to_sender)) == to_sender
            sender.write(bytes(100))
            receiver.write(b"\x81\x00")
            sender.write_eof()
            receiver.write_eof()
            assert await made.end == RelayEnd(Cause.TOO_BIG, side)
            assert await read_all(sender) == b""
            assert await read_all(receiver) == b""

    asyncio.run(main())


@every_way
def test_the_close_for_what_is_too_long_waits_for_a_frames_end(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(limit_octets=100) as made:
            made.backend.write(b"\x82\x05abc")
            assert await read_exactly(made.client, 5)
            made.client.write(build_frame(2, bytes(101), mask_key=KEY))
            close = build_frame(8, TOO_BIG, mask_key=KEY)
            assert await read_exactly(made.backend, len(close)) == close
            made.backend.write(b"de\x81\x00")
            received = await read_exactly(made.client, 2 + len(TOO_BIG) + 2)
            assert received == b"de" + build_frame(8, TOO_BIG)

    asyncio.run(main())


@every_way
def test_a_frame_of_ours_goes_between_two(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.relay.insert(Side.DOWNSTREAM, Opcode.PING, b"first")
            assert await read_exactly(made.client, 7) == b"\x89\x05first"
            stream = build_frame(1, b"hello")
            for at, octet in enumerate(stream):
                made.backend.write(bytes([octet]))
                if 2 <= at < len(stream) - 1:
                    assert await made.client.read()
                    made.relay.insert(Side.DOWNSTREAM, Opcode.PING, bytes([at]))
            pings = b"".join(build_frame(9, bytes([at])) for at in range(2, len(stream) - 1))
            assert await read_exactly(made.client, 1 + len(pings)) == b"o" + pings
            assert made.relay.from_upstream.frames == 1

    asyncio.run(main())


@every_way
def test_a_frame_of_ours_goes_into_the_middle_of_a_receive(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.client.write(build_frame(2, b"one", mask_key=KEY)[:-1])
            await read_exactly(made.backend, 8)
            made.relay.insert(Side.UPSTREAM, Opcode.PING, b"ping")
            rest = build_frame(2, b"two", mask_key=KEY)
            made.client.write(mask(b"one", KEY)[2:] + rest)
            ping = build_frame(9, b"ping", mask_key=KEY)
            expected = mask(b"one", KEY)[2:] + ping + rest
            assert await read_exactly(made.backend, len(expected)) == expected

    asyncio.run(main())


@every_way
def test_after_our_close_a_side_gets_nothing(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.backend.write(b"\x82\x03ab")
            assert await read_exactly(made.client, 4)
            made.relay.insert(Side.DOWNSTREAM, Opcode.CLOSE, build_close(1001))
            made.relay.insert(Side.DOWNSTREAM, Opcode.PING)
            made.backend.write(b"c\x82\x01x")
            made.backend.write(b"\x82\x7e")
            made.backend.write_eof()
            assert await read_all(made.client) == b"c\x88\x02\x03\xe9"
            assert (made.relay.from_upstream.frames, made.relay.from_upstream.octets) == (1, 5)
            made.client.write(b"\x88\x00")
            made.client.write_eof()
            assert await read_all(made.backend) == b"\x88\x00"
            assert (await made.end).cause is Cause.ENDED

    asyncio.run(main())


@every_way
def test_a_side_that_got_an_end_or_no_frames_gets_no_frame_of_ours(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel() as made:
            made.backend.write_eof()
            assert await read_all(made.client) == b""
            made.relay.insert(Side.DOWNSTREAM, Opcode.PING)
            made.client.write(b"GET / HTTP")
            assert await read_exactly(made.backend, 10) == b"GET / HTTP"
            made.relay.insert(Side.UPSTREAM, Opcode.PING)
            made.client.write(b"/1.1")
            assert await read_exactly(made.backend, 4) == b"/1.1"
            assert not made.end.done()

    asyncio.run(main())


@every_way
def test_frames_of_ours_need_a_running_relay_of_frames(way: Way) -> None:
    async def main() -> None:
        async with way.tunnel(counts_frames=False) as made:
            with pytest.raises(LocalProtocolError):
                made.relay.insert(Side.DOWNSTREAM, Opcode.PING)
            made.relay.close(CloseCode.GOING_AWAY)
            assert (await made.end).cause is Cause.CUT
        async with way.tunnel() as made:
            made.relay.abort()
            with pytest.raises(LocalProtocolError):
                made.relay.insert(Side.DOWNSTREAM, Opcode.PING)

    asyncio.run(main())


async def send_randomly(stream: Stream, octets: bytes, rng: random.Random) -> None:
    for piece in in_pieces(octets, rng):
        stream.write(piece)
        await stream.drain()
        for _ in range(rng.choice([0, 0, 1, 3])):
            await asyncio.sleep(0)


async def send_and_end(stream: Stream, octets: bytes, rng: random.Random) -> None:
    await send_randomly(stream, octets, rng)
    stream.write_eof()


async def read_randomly(stream: Stream, rng: random.Random) -> bytes:
    octets = bytearray()
    while True:
        for _ in range(rng.choice([0, 0, 0, 2, 40])):
            await asyncio.sleep(0)
        piece = await stream.read()
        if not piece:
            return bytes(octets)
        octets += piece


def random_frames(rng: random.Random, key: bytes | None) -> list[bytes]:
    sizes = [0, 1, 125, 126, 65535, 65536, 300_000]
    return [
        build_frame(rng.choice([1, 2]), rng.randbytes(rng.choice(sizes)), mask_key=key)
        for _ in range(rng.randrange(1, 12))
    ]


@every_way
@pytest.mark.parametrize("seed", range(6))
def test_integrity_both_ways_at_once(way: Way, seed: int) -> None:
    rng = random.Random(seed)
    upward = random_frames(rng, KEY)
    downward = random_frames(rng, None)

    async def main() -> None:
        async with way.tunnel(buffer_octets=rng.choice([None, 65536])) as made:
            _, _, received_down, received_up = await asyncio.gather(
                send_and_end(made.client, b"".join(upward), rng),
                send_and_end(made.backend, b"".join(downward), rng),
                read_randomly(made.client, rng),
                read_randomly(made.backend, rng),
            )
            assert received_up == b"".join(upward)
            assert received_down == b"".join(downward)
            assert (await made.end).cause is Cause.ENDED
            relay = made.relay
            assert relay.from_downstream.messages == len(upward)
            assert relay.from_upstream.messages == len(downward)

    asyncio.run(main())


@every_tcp_way
@pytest.mark.parametrize("seed", range(4))
def test_a_reset_in_full_flow_leaves_whole_octets_in_order(way: Way, seed: int) -> None:
    rng = random.Random(seed)
    upward = b"".join(random_frames(rng, KEY)) + rng.randbytes(400_000)
    downward = b"".join(random_frames(rng, None)) + rng.randbytes(400_000)

    async def main() -> None:
        async with way.tunnel(buffer_octets=rng.choice([None, 65536])) as made:
            senders = [
                asyncio.create_task(send_randomly(made.client, upward, rng)),
                asyncio.create_task(send_randomly(made.backend, downward, rng)),
            ]
            received = b""
            enough = rng.randrange(len(upward))
            while len(received) < enough:
                received += await made.backend.read()
            reset(made.client)
            assert (await made.end).side is Side.DOWNSTREAM
            senders[1].cancel()
            await asyncio.wait(senders)
            with contextlib.suppress(StreamError):
                received += await read_all(made.backend)
            assert upward.startswith(received)
            passed = made.relay.from_downstream.octets
            assert enough <= len(received) <= passed <= len(upward)
            for sender in senders:
                assert sender.cancelled() or isinstance(sender.exception(), StreamError | None)

    asyncio.run(main())


@every_way
@pytest.mark.parametrize("seed", range(4))
def test_no_descriptor_is_left(way: Way, seed: int) -> None:
    """Many tunnels, each ended in one of all ways, some of them in the same turn."""
    rng = random.Random(seed)

    async def one(ending: str) -> None:
        async with way.tunnel(counts_frames=False) as made:
            made.client.write(CHUNK)
            made.backend.write(CHUNK * 20)
            for _ in range(rng.randrange(5)):
                await asyncio.sleep(0)
            await ENDINGS[ending](made)

    async def main() -> None:
        before = os.listdir("/proc/self/fd")
        await asyncio.gather(*(one(rng.choice(list(ENDINGS))) for _ in range(40)))
        assert os.listdir("/proc/self/fd") == before

    asyncio.run(main())


async def end_by_cutting(made: Tunnel) -> None:
    made.relay.abort()


async def end_by_reset(made: Tunnel) -> None:
    reset(made.client)
    await made.end


async def end_by_closing(made: Tunnel) -> None:
    made.client.close()
    made.backend.close()
    await made.end


async def end_by_our_close(made: Tunnel) -> None:
    made.relay.close(CloseCode.GOING_AWAY)
    await made.end


async def end_at_once(made: Tunnel) -> None:
    reset(made.client)
    reset(made.backend)
    made.relay.abort()


ENDINGS: dict[str, Callable[[Tunnel], Awaitable[None]]] = {
    "cut": end_by_cutting,
    "reset": end_by_reset,
    "closed": end_by_closing,
    "ours": end_by_our_close,
    "at once": end_at_once,
}

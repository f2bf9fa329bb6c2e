"""No octet is lost, doubled or moved, however it comes: both carriers, over real sockets.

Hypothesis chooses messages, splits, stalls and ends, and shows the least of those that fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.socket_stream import socket_streams
from kit.tls_stream import tls_streams
from upwire.errors import StreamError
from upwire.net.relay import Cause, Relay, RelayEnd, RelayOptions, Side, _engine
from upwire.net.stream import Stream
from upwire.wire._codec import build_frame

DEADLINE_S = 20.0
KEY = b"\x01\x02\x03\x04"
ENGINES = [False, True] if _engine.is_available() else [False]
WAYS = [(uses_engine, is_secured) for uses_engine in ENGINES for is_secured in (False, True)]
every_carrier = pytest.mark.parametrize(("uses_engine", "is_secured"), WAYS)
few = settings(max_examples=6, deadline=None)


@dataclass(frozen=True)
class Flow:
    """What one end sends, and how it reads: lengths of pieces, and turns of the loop between."""

    sizes: list[int]
    pieces: list[int]
    stalls: list[int]

    def octets(self, key: bytes | None) -> bytes:
        payload = bytes(range(251)) * (300_000 // 251 + 1)  # 251 is prime: what moves shows
        return b"".join(build_frame(2, payload[:size], mask_key=key) for size in self.sizes)


sizes = st.sampled_from([0, 1, 125, 126, 65535, 65536, 150_000])
flows = st.builds(
    Flow,
    sizes=st.lists(sizes, min_size=1, max_size=4),
    pieces=st.lists(st.integers(1, 200_000), min_size=1, max_size=8),
    stalls=st.lists(st.integers(0, 8), min_size=1, max_size=8),
)
buffers = st.sampled_from([None, 65536])
records = st.sampled_from([700, 16384])


class Ends:
    """The client's end and the backend's, with a relay between them."""

    def __init__(self, client: tuple[Stream, Stream], backend: tuple[Stream, Stream]) -> None:
        self.client, self._downstream = client
        self._upstream, self.backend = backend
        self.relay = Relay(RelayOptions())
        self.end: asyncio.Future[RelayEnd] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, buffer_octets: int | None, *, uses_engine: bool, record_octets: int | None
    ) -> Ends:
        """record_octets: what a record of TLS, on both sides, takes; None: no TLS."""
        client = await socket_streams(socket.AF_INET, buffer_octets=buffer_octets)
        backend = await socket_streams(socket.AF_INET, buffer_octets=buffer_octets)
        if record_octets is not None:
            client = await tls_streams(*client, record_octets=record_octets)
            backend = await tls_streams(*backend, record_octets=record_octets)
        made = cls(client, backend)
        made.relay = Relay(RelayOptions(uses_engine=uses_engine))
        made.relay.start(made._downstream, made._upstream, made)
        return made

    def relay_ended(self, end: RelayEnd) -> None:
        self.end.set_result(end)

    async def close(self) -> None:
        self.relay.abort()
        await asyncio.wait([self.end])
        for stream in (self.client, self.backend):
            stream.abort()
            await stream.wait_closed()


def in_pieces(octets: bytes, lengths: list[int]) -> Iterator[bytes]:
    at = 0
    for length in cycle(lengths):
        if at >= len(octets):
            return
        yield octets[at : at + max(length, len(octets) // 200)]
        at += max(length, len(octets) // 200)


async def send(stream: Stream, flow: Flow, key: bytes | None) -> None:
    stalls = cycle(flow.stalls)
    for piece in in_pieces(flow.octets(key), flow.pieces):
        stream.write(piece)
        await stream.drain()
        for _ in range(next(stalls)):
            await asyncio.sleep(0)


async def receive(stream: Stream, flow: Flow) -> bytes:
    stalls = cycle(flow.stalls)
    received = bytearray()
    while piece := await stream.read():
        received += piece
        for _ in range(next(stalls)):
            await asyncio.sleep(0)
    return bytes(received)


async def send_and_end(stream: Stream, flow: Flow, key: bytes | None) -> None:
    await send(stream, flow, key)
    stream.write_eof()


@every_carrier
@few
@given(up=flows, down=flows, buffer_octets=buffers, record_octets=records)
def test_all_comes_through_both_ways_at_once(
    uses_engine: bool,
    is_secured: bool,
    up: Flow,
    down: Flow,
    buffer_octets: int | None,
    record_octets: int,
) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE_S):
            ends = await Ends.connect(
                buffer_octets,
                uses_engine=uses_engine,
                record_octets=record_octets if is_secured else None,
            )
            _, _, came_down, came_up = await asyncio.gather(
                send_and_end(ends.client, up, KEY),
                send_and_end(ends.backend, down, None),
                receive(ends.client, down),
                receive(ends.backend, up),
            )
            assert came_up == up.octets(KEY)
            assert came_down == down.octets(None)
            assert (await ends.end).cause is Cause.ENDED
            assert ends.relay.from_downstream.messages == len(up.sizes)
            assert ends.relay.from_upstream.messages == len(down.sizes)
            await ends.close()

    asyncio.run(main())


@every_carrier
@few
@given(up=flows, down=flows, buffer_octets=buffers, record_octets=records, share=st.floats(0, 1))
def test_a_reset_leaves_a_beginning_of_what_was_sent(
    uses_engine: bool,
    is_secured: bool,
    up: Flow,
    down: Flow,
    buffer_octets: int | None,
    record_octets: int,
    share: float,
) -> None:
    """The client is reset when the backend has got a share of what it sends, with all in flow."""
    sent = up.octets(KEY)
    enough = int(len(sent) * share)

    async def main() -> None:
        async with asyncio.timeout(DEADLINE_S):
            ends = await Ends.connect(
                buffer_octets,
                uses_engine=uses_engine,
                record_octets=record_octets if is_secured else None,
            )
            sending = [
                asyncio.create_task(send(ends.client, up, KEY)),
                asyncio.create_task(send(ends.backend, down, None)),
            ]
            received = b""
            while len(received) < enough:
                received += await ends.backend.read()
            reset(ends.client)
            with contextlib.suppress(StreamError):
                received += await receive(ends.backend, up)
            end = await ends.end
            assert (end.cause, end.side) == (Cause.LOST, Side.DOWNSTREAM)
            assert sent.startswith(received)
            assert enough <= len(received) <= ends.relay.from_downstream.octets <= len(sent)
            for task in sending:
                task.cancel()
            await asyncio.wait(sending)
            for task in sending:
                assert task.cancelled() or isinstance(task.exception(), StreamError | None)
            await ends.close()

    asyncio.run(main())


def reset(stream: Stream) -> None:
    sock = stream.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.abort()

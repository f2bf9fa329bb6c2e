"""Streams that stand on the engine, which is compiled code."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import partial

import pytest

from kit.check_stream import (
    CHECKS,
    DEADLINE_S,
    HALF_CLOSE_CHECKS,
    Check,
    RecordingSink,
    fill,
    name_of,
    run_check,
    send_for_ever,
)
from kit.socket_stream import connected_sockets, open_socket_stream, socket_streams
from upwire.errors import StreamError
from upwire.net.engine.driver import is_available
from upwire.net.engine.transport import LinkTransport, open_stream
from upwire.net.stream import Stream

pytestmark = pytest.mark.skipif(not is_available(), reason="the engine is compiled code")


async def bare_pair() -> tuple[Stream, socket.socket]:
    """Make a Stream whose peer is a bare socket, non-blocking."""
    ours, theirs = connected_sockets(socket.AF_INET)
    theirs.setblocking(False)
    return await open_socket_stream(ours), theirs


def transport_of(stream: Stream) -> LinkTransport:
    assert isinstance(stream.transport, LinkTransport)
    return stream.transport


@pytest.mark.parametrize("check", CHECKS + HALF_CLOSE_CHECKS, ids=name_of)
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])
def test_pair(check: Check, family: socket.AddressFamily) -> None:
    asyncio.run(run_check(check, partial(socket_streams, family)))


def test_it_knows_its_socket() -> None:
    async def main() -> None:
        near, far = await socket_streams()
        sock = near.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert near.local_address == far.peer_address
        assert near.peer_address == far.local_address
        assert near.transport.get_extra_info("cipher") is None
        assert near.tls is None
        for stream in (near, far):
            stream.abort()
            await stream.wait_closed()

    asyncio.run(main())


def test_a_socket_without_a_peer_is_left_to_the_caller() -> None:
    async def main() -> None:
        with socket.socket() as sock:
            with pytest.raises(OSError, match="not connected"):
                open_stream(sock)
            assert sock.fileno() >= 0

    asyncio.run(main())


def test_a_reset_is_told_with_its_reason() -> None:
    async def main() -> None:
        near, theirs = await bare_pair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(StreamError, match="reset by peer"):
            await near.read(timeout_s=DEADLINE_S)
        await near.wait_closed()

    asyncio.run(main())


def test_a_loss_is_told_while_reading_is_paused() -> None:
    async def main() -> None:
        near, theirs = await bare_pair()
        near.transport.pause_reading()
        assert not transport_of(near).is_reading()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(StreamError):
            await asyncio.wait_for(send_for_ever(near), DEADLINE_S)
        await near.wait_closed()

    asyncio.run(main())


def test_a_peer_that_does_not_read_holds_the_writer() -> None:
    async def main() -> None:
        near, far = await socket_streams(buffer_octets=2**15)
        sink = RecordingSink(far)
        written = await fill(near)
        assert not near.is_writable_now
        far.push_to(sink)
        await near.drain(timeout_s=DEADLINE_S)
        await sink.until(lambda: len(sink.received) == written)
        near.close()
        await sink.until(lambda: "eof" in sink.told)
        far.close()
        await far.wait_closed()

    asyncio.run(main())


def test_a_link_goes_on_without_its_transport() -> None:
    async def main() -> None:
        near, far = await socket_streams()
        far.write(b"early")
        while not near.unread_octets:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        transport = transport_of(near)
        link = transport.detach()
        assert transport.is_closing()
        assert near.give_up() == b"early"
        assert near.is_closed
        sink = RecordingSink(near)
        link.push_to(sink)
        far.write(b"late")
        await sink.until(lambda: sink.received == b"late")
        link.write(b"answer")
        assert await far.read(timeout_s=DEADLINE_S) == b"answer"
        far.close()
        await sink.until(lambda: "eof" in sink.told)
        link.close()
        await link.wait_closed()
        assert sink.told[-1] == "lost"

    asyncio.run(main())

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from kit import virtual_time
from kit.certificates import Certificates, make_certificates
from kit.check_stream import (
    CHECKS,
    DEADLINE_S,
    HALF_CLOSE_CHECKS,
    Check,
    Pair,
    RecordingSink,
    fill,
    name_of,
    run_check,
)
from kit.memory_stream import MemoryTransport, memory_pair
from upwire.errors import LocalProtocolError, StreamError
from upwire.net.stream import CLOSE_TIMEOUT_S, READ_HIGH_OCTETS, Stream


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def socket_pair(
    family: int = socket.AF_INET, certificates: Certificates | None = None
) -> Pair:
    """Two Streams over a real connection, with TLS where certificates are given."""
    loop = asyncio.get_running_loop()
    server_tls = client_tls = None
    if certificates is not None:
        server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_tls.load_cert_chain(certificates.certificate_file, certificates.key_file)
        client_tls = ssl.create_default_context(cafile=certificates.authority_file)
    ours, theirs = connected_sockets(family)
    (_, far), (_, near) = await asyncio.gather(
        loop.connect_accepted_socket(Stream, theirs, ssl=server_tls),
        loop.create_connection(
            Stream, sock=ours, ssl=client_tls, server_hostname="localhost" if client_tls else None
        ),
    )
    return near, far


def connected_sockets(family: int) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            ours = socket.create_connection(listening.getsockname())
            theirs, _ = listening.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


async def in_memory(*, can_half_close: bool = True) -> Pair:
    return memory_pair(can_half_close=can_half_close)


@pytest.mark.parametrize("check", CHECKS + HALF_CLOSE_CHECKS, ids=name_of)
@pytest.mark.parametrize(
    "make_pair",
    [in_memory, socket_pair, partial(socket_pair, socket.AF_UNIX)],
    ids=["memory", "tcp", "unix"],
)
def test_pair(check: Check, make_pair: Callable[[], Awaitable[Pair]]) -> None:
    asyncio.run(run_check(check, make_pair))


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_pair_in_memory_without_half_close(check: Check) -> None:
    asyncio.run(run_check(check, partial(in_memory, can_half_close=False)))


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_pair_over_tls(check: Check, certificates: Certificates) -> None:
    asyncio.run(run_check(check, partial(socket_pair, certificates=certificates)))


def memory_transport(stream: Stream) -> MemoryTransport:
    assert isinstance(stream.transport, MemoryTransport)
    return stream.transport


def test_nothing_before_the_connection() -> None:
    async def main() -> None:
        with pytest.raises(LocalProtocolError):
            _ = Stream().transport

    asyncio.run(main())


def test_tls_ends_both_directions(certificates: Certificates) -> None:
    async def main() -> None:
        near, far = await socket_pair(certificates=certificates)
        assert near.tls is not None
        assert near.tls.version() == "TLSv1.3"
        assert not near.can_write_eof
        with pytest.raises(LocalProtocolError):
            near.write_eof()
        far.close()
        assert await near.read(timeout_s=DEADLINE_S) == b""
        near.write(b"vanishes")
        with pytest.raises(StreamError, match="ended by the peer"):
            await near.drain()
        near.close()
        await near.wait_closed()
        await far.wait_closed()

    asyncio.run(main())


def test_tls_without_a_closure_alert_ends_too(certificates: Certificates) -> None:
    async def main() -> None:
        near, far = await socket_pair(certificates=certificates)
        far.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        assert await near.read(timeout_s=DEADLINE_S) == b""
        for stream in (near, far):
            stream.abort()
            await stream.wait_closed()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("odd"), "odd"),
        (ValueError("in a callback"), "in a callback"),
    ],
)
def test_a_loss_says_why_after_what_came_before_it(error: Exception, message: str) -> None:
    async def main() -> None:
        near, far = memory_pair()
        far.write(b"before")
        await virtual_time.settle()
        memory_transport(near).lose(error)
        await virtual_time.settle()
        assert near.is_closed
        assert await near.read() == b"before"
        with pytest.raises(StreamError, match=f"{message} while reading") as caught:
            await near.read(doing="reading")
        assert caught.value.__cause__ is error
        near.close()

    virtual_time.run(main())


def test_a_paused_sink_hears_of_the_loss_when_it_resumes() -> None:
    async def main() -> None:
        near, far = memory_pair()
        sink = RecordingSink(near, pauses=True)
        near.push_to(sink)
        far.write(b"one")
        await virtual_time.settle()
        memory_transport(near).lose(ConnectionResetError(104, "Connection reset by peer"))
        await virtual_time.settle()
        assert sink.told == ["octets"]
        near.resume()
        assert sink.told == ["octets", "lost"]
        assert str(sink.error) == "Connection reset by peer"
        near.resume()
        assert sink.told == ["octets", "lost"]

    virtual_time.run(main())


def test_a_new_sink_hears_of_the_end_too() -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.push_to(RecordingSink(near))
        far.close()
        await virtual_time.settle()
        sink = RecordingSink(near)
        near.push_to(sink)
        assert sink.told == ["eof"]

    virtual_time.run(main())


def test_a_closed_stream_drops_what_still_comes() -> None:
    async def main() -> None:
        near, _ = memory_pair()
        sink = RecordingSink(near)
        near.push_to(sink)
        near.close()
        near.data_received(b"late")
        assert sink.told == []

    virtual_time.run(main())


def test_a_full_buffer_stops_the_transport() -> None:
    async def main() -> None:
        near, far = memory_pair()
        transport = memory_transport(near)
        near.unread(b"x" * READ_HIGH_OCTETS)
        assert not transport.is_reading()
        assert near.unread_octets == READ_HIGH_OCTETS
        await near.read()
        assert transport.is_reading()
        near.pause()
        assert transport.is_reading()  # only a sink can be paused
        far.abort()

    virtual_time.run(main())


def test_a_closed_stream_is_cut_where_the_peer_takes_nothing() -> None:
    async def main() -> float:
        near, far = memory_pair()
        await fill(far)
        far.close()
        await far.wait_closed()
        assert near.unread_octets > 0
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == CLOSE_TIMEOUT_S


def test_a_closed_stream_waits_for_a_peer_that_takes_slowly() -> None:
    async def main() -> float:
        near, far = memory_pair()
        for _ in range(4):
            far.write(bytes(READ_HIGH_OCTETS))
        far.close()
        await asyncio.sleep(CLOSE_TIMEOUT_S * 0.8)
        await near.read()
        await far.wait_closed()
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == 2 * CLOSE_TIMEOUT_S


def test_drain_lets_a_loss_in_that_is_on_its_way() -> None:
    async def main() -> None:
        near, _ = memory_pair()
        memory_transport(near).lose(ConnectionResetError(104, "Connection reset by peer"))
        with pytest.raises(StreamError, match="reset"):
            await near.drain()

    virtual_time.run(main())


def test_ending_output_after_a_reset_that_nobody_saw_yet() -> None:
    async def main() -> None:
        near, far = await socket_pair()
        far_socket = far.transport.get_extra_info("socket")
        far_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.abort()
        await far.wait_closed()
        near.write_eof()
        with pytest.raises(StreamError, match="reset"):
            await near.read()
        near.abort()
        await near.wait_closed()

    asyncio.run(main())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_lent_socket_is_read_and_written_by_who_borrows_it(family: int) -> None:
    async def main() -> None:
        near, far = await socket_pair(family)
        far.write(b"before")
        early = await near.read(timeout_s=DEADLINE_S)
        near.unread(early)
        assert near.can_lend
        with socket.socket(fileno=near.lend()) as borrowed:
            assert not near.transport.is_reading()
            loop = asyncio.get_running_loop()
            far.write(b"meanwhile")
            assert await loop.sock_recv(borrowed, 99) == b"meanwhile"
            await loop.sock_sendall(borrowed, b"answer")
        assert await far.read(timeout_s=DEADLINE_S) == b"answer"
        assert await near.read(timeout_s=DEADLINE_S) == b"before"
        near.take_back()
        far.write(b"after")
        assert await near.read(timeout_s=DEADLINE_S) == b"after"
        near.abort()
        far.abort()
        await far.wait_closed()

    asyncio.run(main())


def test_a_stream_lends_only_what_is_its_own(certificates: Certificates) -> None:
    async def main() -> None:
        memory, _ = memory_pair()
        assert not memory.can_lend
        over_tls = await socket_pair(certificates=certificates)
        assert not over_tls[0].can_lend
        near, far = await socket_pair()
        assert near.can_lend
        near.write(bytes(16 * 1024 * 1024))
        assert near.write_buffer_octets
        assert not near.can_lend
        far.write_eof()
        assert not far.can_lend
        for stream in (*over_tls, near, far):
            stream.abort()
            await stream.wait_closed()
        assert not near.can_lend

    asyncio.run(main())


@pytest.mark.parametrize(
    ("first_s", "second_s", "ends_s"), [(10, 60, 65), (60, 10, 15), (5.5, 5, 10)]
)
def test_a_deadline_holds_for_its_own_read(first_s: float, second_s: float, ends_s: float) -> None:
    async def main() -> None:
        near, far = memory_pair()
        reader = asyncio.create_task(near.read(timeout_s=first_s))
        await asyncio.sleep(5)
        far.write(b"octets")
        assert await reader == b"octets"
        with pytest.raises(StreamError, match=f"timed out after {second_s} s") as caught:
            await near.read(timeout_s=second_s)
        assert caught.value.is_timeout
        assert asyncio.get_running_loop().time() == pytest.approx(ends_s)

    virtual_time.run(main())


def test_a_deadline_that_was_met_ends_no_later_read() -> None:
    async def main() -> None:
        near, far = memory_pair()
        far.write(b"one")
        assert await near.read(timeout_s=5) == b"one"
        reader = asyncio.create_task(near.read())
        await asyncio.sleep(10)
        far.write(b"two")
        assert await reader == b"two"
        near.abort()
        await near.wait_closed()

    virtual_time.run(main())


def test_what_is_written_soon_goes_with_what_follows() -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.write_soon(b"head ")
        assert near.write_buffer_octets == 5
        near.write(b"content")
        assert memory_transport(near).queued == [b"head content"]
        near.write_soon(b"1 ")
        near.write_soon(b"2 ")
        await virtual_time.settle()
        assert await far.read() == b"head content1 2 "

    virtual_time.run(main())


def test_what_is_written_soon_goes_when_the_loop_turns() -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.write_soon(b"head")
        assert await far.read() == b"head"
        assert near.write_buffer_octets == 0

    virtual_time.run(main())


@pytest.mark.parametrize("end", [Stream.close, Stream.write_eof])
def test_what_is_written_soon_goes_before_the_end(end: Callable[[Stream], None]) -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.write_soon(b"head")
        end(near)
        assert await far.read() == b"head"
        assert await far.read() == b""

    virtual_time.run(main())


@pytest.mark.parametrize("is_lost", [True, False])
def test_what_is_written_soon_vanishes_with_the_connection(is_lost: bool) -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.write_soon(b"head")
        if is_lost:
            near.connection_lost(None)
        else:
            near.abort()
        near.write_soon(b"more")
        await virtual_time.settle()
        assert near.write_buffer_octets == 0
        assert far.unread_octets == 0

    virtual_time.run(main())


def test_cancelled_waits_leave_nothing_behind() -> None:
    async def main() -> None:
        near, _ = memory_pair()
        await fill(near)
        waits = [asyncio.create_task(near.drain()), asyncio.create_task(near.wait_closed())]
        await virtual_time.settle()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert all(wait.cancelled() for wait in waits)
        near.abort()
        await near.wait_closed()

    virtual_time.run(main())


@pytest.mark.parametrize(("come_at_s", "is_late"), [(1 - 1e-10, False), (1.0, True)])
def test_octets_and_deadline_in_the_same_turn(come_at_s: float, is_late: bool) -> None:
    async def main() -> bool:
        near, _ = memory_pair()
        reader = asyncio.create_task(near.read(timeout_s=1))
        await virtual_time.settle()
        asyncio.get_running_loop().call_later(come_at_s, near.data_received, b"octets")
        try:
            return await reader != b"octets"
        except StreamError:
            assert await near.read() == b"octets"
            return True

    assert virtual_time.run(main()) is is_late


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("::1", 80, 0, 0), ("::1", 80)),
        ("/run/app.sock", "/run/app.sock"),
        (b"\0abstract", "@abstract"),
        (None, ""),
    ],
)
def test_addresses(name: object, address: object) -> None:
    class Transport(MemoryTransport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return None if name == "socket" else self.address

    async def main() -> None:
        stream = Stream()
        transport = Transport(stream, name, can_half_close=True)  # type: ignore[arg-type]
        stream.connection_made(transport)
        assert stream.peer_address == stream.local_address == address

    asyncio.run(main())

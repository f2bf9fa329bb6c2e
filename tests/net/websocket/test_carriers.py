"""A WebSocket over real sockets: what is alike on a Stream, and on a Link of the engine."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kit.socket_stream import connected_sockets, open_socket_stream
from kit.websockets import QUIET, open_on
from upwire.errors import ConnectionClosed, StreamError
from upwire.net.engine import _engine, driver
from upwire.net.engine._link import Link
from upwire.net.stream import WRITE_HIGH_OCTETS
from upwire.net.websocket import (
    Callbacks,
    PreparedMessage,
    WebSocket,
    WebSocketOptions,
    send_to_all,
)
from upwire.wire._codec import build_frame
from upwire.wire.websocket import Role

KEY = b"\x01\x02\x03\x04"
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(params=["stream", "engine", "watched"])
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs on all, where there is an engine; watched: by the loop, as few are."""
    name: str = request.param
    if name == "stream":
        monkeypatch.setattr("upwire.net.websocket.websocket.LinkTransport", _NoTransport)
    elif not _engine.is_available():
        pytest.skip("the engine is compiled code")
    elif name == "engine":
        monkeypatch.setattr(driver, "WATCHED_MAX", 0)
    return name


class _NoTransport:
    """A class that no transport is of."""


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a test, and see that it leaves no descriptor open."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()
        await asyncio.sleep(0)

    gc.collect()
    before = len(os.listdir(DESCRIPTORS))
    asyncio.run(bounded())
    gc.collect()
    assert len(os.listdir(DESCRIPTORS)) == before


async def open_socket(sock: socket.socket, role: Role, options: WebSocketOptions) -> WebSocket:
    return open_on(await open_socket_stream(sock), role, options)


async def open_pair(
    options: WebSocketOptions = QUIET, *, buffer_octets: int | None = None
) -> tuple[WebSocket, WebSocket]:
    """Make a client and a server that are connected."""
    ours, theirs = connected_sockets(socket.AF_INET)
    for sock in (ours, theirs):
        if buffer_octets is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_octets)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_octets)
    client = await open_socket(ours, Role.CLIENT, options)
    return client, await open_socket(theirs, Role.SERVER, options)


async def open_with_socket(
    options: WebSocketOptions = QUIET, *, family: socket.AddressFamily = socket.AF_INET
) -> tuple[WebSocket, socket.socket]:
    """Make a server whose client is a bare socket, non-blocking."""
    ours, theirs = connected_sockets(family)
    theirs.setblocking(False)
    return await open_socket(ours, Role.SERVER, options), theirs


async def receive(sock: socket.socket, octets: int) -> bytes:
    loop, received = asyncio.get_running_loop(), bytearray()
    while len(received) < octets and (more := await loop.sock_recv(sock, 65536)):
        received += more
    return bytes(received)


async def closes(ws: WebSocket) -> ConnectionClosed:
    try:
        while True:
            await ws.recv()
    except ConnectionClosed as closed:
        return closed


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


class Echo(Callbacks):
    def on_message(self, ws: WebSocket, message: str | bytes) -> None:
        ws.send_nowait(message)


def test_the_engine_takes_plain_connections(carrier: str) -> None:
    async def main() -> None:
        client, server = await open_pair()
        assert isinstance(client._stream, Link) == (carrier != "stream")
        assert client.remote_address == server.local_address
        assert client.local_address == server.remote_address
        await client.close(1000, "done")
        await server.wait_closed()
        assert (server.close_code, server.close_reason) == (1000, "done")

    run(main)


@pytest.mark.parametrize("buffer_octets", [None, 2**15])
@pytest.mark.parametrize("calls_back", [False, True])
def test_messages_of_all_sizes_come_back_as_they_were(
    carrier: str, calls_back: bool, buffer_octets: int | None
) -> None:
    rng = random.Random(7)
    sizes = [0, 1, 125, 126, 65535, 65536, 300_000, 7] + [rng.randrange(2000) for _ in range(99)]
    messages: list[str | bytes] = [
        rng.randbytes(size) if size % 3 else "grüße"[: size % 7] * size for size in sizes
    ]

    async def main() -> None:
        client, server = await open_pair(
            WebSocketOptions(ping_interval_s=None, max_message_octets=2**22),
            buffer_octets=buffer_octets,
        )
        echoing: asyncio.Task[None] | None = None
        if calls_back:
            server.push_to(Echo())
        else:
            echoing = asyncio.create_task(echo(server))

        async def send_all() -> None:
            for message in messages:
                await client.send(message)

        sending = asyncio.create_task(send_all())
        for message in messages:
            assert await client.recv() == message
        await sending
        await client.close()
        await server.wait_closed()
        if echoing is not None:
            await echoing

    run(main)


def test_an_end_that_came_before_the_websocket_is_told(carrier: str) -> None:
    async def main() -> None:
        ours, theirs = connected_sockets(socket.AF_INET)
        stream = await open_socket_stream(theirs)
        ours.sendall(build_frame(1, b"last", mask_key=KEY))
        ours.shutdown(socket.SHUT_WR)
        while not stream.is_eof:  # noqa: ASYNC110  # on_end is the Stream's own here
            await asyncio.sleep(0)
        server = open_on(stream, Role.SERVER, QUIET)
        assert await server.recv() == "last"
        with pytest.raises(ConnectionClosed):
            await server.recv()
        await server.wait_closed()
        ours.close()

    run(main)


def test_frames_split_anywhere_are_messages(carrier: str) -> None:
    octets = (
        build_frame(1, b"one", mask_key=KEY)
        + build_frame(2, bytes(300), mask_key=KEY)
        + build_frame(1, "grü".encode()[:3], is_final=False, mask_key=KEY)
        + build_frame(9, b"?", mask_key=KEY)
        + build_frame(0, "ü".encode()[1:], mask_key=KEY)
    )

    async def main() -> None:
        server, peer = await open_with_socket()
        for at in range(len(octets)):
            peer.send(octets[at : at + 1])
            await asyncio.sleep(0)
        assert [await server.recv() for _ in range(3)] == ["one", bytes(300), "grü"]
        assert await receive(peer, 3) == b"\x8a\x01?"
        peer.close()
        assert (await closes(server)).code == 1006
        await server.wait_closed()

    run(main)


def test_answers_to_one_read_leave_together(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket(family=socket.AF_UNIX)
        server.push_to(Echo())
        peer.send(b"".join(build_frame(2, b"%d" % n, mask_key=KEY) for n in range(10)))
        while not (received := await receive(peer, 1)):
            pass
        assert received == b"".join(build_frame(2, b"%d" % n) for n in range(10))
        server.abort()
        await server.wait_closed()
        peer.close()

    run(main)


def test_a_message_is_answered_before_what_follows_it_closes(carrier: str) -> None:
    async def main() -> None:
        for behind, code in ((b"\x83\x80\0\0\0\0", b"\x03\xea"), (b"\x88\x80\0\0\0\0", b"")):
            server, peer = await open_with_socket()
            echoing = asyncio.create_task(echo(server))
            await asyncio.sleep(0)
            peer.send(b"".join(build_frame(1, b"%d" % n, mask_key=KEY) for n in range(3)) + behind)
            peer.shutdown(socket.SHUT_WR)
            answers = b"".join(build_frame(1, b"%d" % n) for n in range(3))
            received = await receive(peer, 2**16)
            assert received.startswith(answers)
            assert received[len(answers) + 2 :][:2] == code
            await asyncio.wait([echoing])
            assert (echoing.exception() is None) == (code == b"")
            server.abort()
            await server.wait_closed()
            peer.close()

    run(main)


def test_a_peer_that_does_not_read_blocks_and_then_frees_the_sender(carrier: str) -> None:
    options = WebSocketOptions(ping_interval_s=None, send_timeout_s=0.05)

    async def main() -> None:
        server, peer = await open_with_socket(options)
        sent = 0
        while server.can_send:
            await server.send(bytes(50_000))
            sent += 1
        with pytest.raises(StreamError, match="sending a message") as raised:
            await server.send("one too many")
        assert raised.value.is_timeout
        assert not server.can_send
        assert WRITE_HIGH_OCTETS < server.unsent_octets < WRITE_HIGH_OCTETS + 100_000
        blocked = asyncio.create_task(server.ping())
        frame_octets = 50_000 + 4
        received = await receive(peer, sent * frame_octets + 6)
        assert len(received) == sent * frame_octets + 6
        peer.send(build_frame(10, received[-4:], mask_key=KEY))
        await blocked
        assert server.can_send
        peer.close()
        await server.wait_closed()

    run(main)


def test_a_slow_receiver_slows_the_sender_and_loses_nothing(carrier: str) -> None:
    options = WebSocketOptions(ping_interval_s=None, receive_queue_messages=2)

    async def main() -> None:
        server, peer = await open_with_socket(options)
        frames = b"".join(build_frame(2, b"%3d" % n, mask_key=KEY) for n in range(100))
        peer.send(frames)
        await asyncio.sleep(0.01)
        assert len(server._queue.messages) == 2
        assert [await server.recv() for _ in range(100)] == [b"%3d" % n for n in range(100)]
        peer.close()
        assert (await closes(server)).code == 1006
        await server.wait_closed()

    run(main)


def test_a_reset_is_told_with_its_reason(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket()
        receiving = asyncio.create_task(server.recv())
        await asyncio.sleep(0)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(ConnectionClosed) as raised:
            await receiving
        assert raised.value.code == 1006
        assert raised.value.reason == os.strerror(errno.ECONNRESET)
        with pytest.raises(ConnectionClosed):
            await server.send("too late")
        await server.wait_closed()

    run(main)


def test_a_blocked_sender_learns_of_a_reset(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket()
        while server.can_send:
            await server.send(bytes(50_000))
        blocked = asyncio.create_task(server.send("more"))
        await asyncio.sleep(0)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(ConnectionClosed):
            await blocked
        await server.wait_closed()
        assert server.unsent_octets == 0

    run(main)


def test_a_violation_is_answered_behind_what_was_sent(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket()
        server.send_nowait("before")
        peer.send(b"\x81\x02hi")
        received = await receive(peer, 2**16)
        assert received.startswith(build_frame(1, b"before") + b"\x88")
        assert received[8 + 2 : 8 + 4] == b"\x03\xea"
        peer.close()
        assert (await closes(server)).code == 1002
        await server.wait_closed()

    run(main)


def test_closing_sends_what_waits_before_its_close(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket()
        while server.can_send:
            server.send_nowait(bytes(50_000))
        unsent = server.unsent_octets
        closing = asyncio.create_task(server.close(1000, "done"))
        received = await receive(peer, unsent)
        while not received.endswith(b"done"):
            received += await receive(peer, 1)
        peer.send(build_frame(8, b"\x03\xe8", mask_key=KEY))
        assert await receive(peer, 1) == b""
        peer.close()
        await closing
        assert server.close_code == 1000

    run(main)


def test_cancelling_at_every_wait_loses_no_message(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket()
        for text in ("a", "b"):
            receiving = asyncio.create_task(server.recv())
            await asyncio.sleep(0)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            peer.send(build_frame(1, text.encode(), mask_key=KEY))
            async with asyncio.timeout(5):
                assert await server.recv() == text
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.recv(), 0.01)
        peer.close()
        await closes(server)
        await server.wait_closed()

    run(main)


def test_a_connection_may_cut_another_of_the_same_batch(carrier: str) -> None:
    async def main() -> None:
        servers, peers = [], []
        for _ in range(4):
            server, peer = await open_with_socket()
            servers.append(server)
            peers.append(peer)

        class CutOthers(Callbacks):
            def on_message(self, ws: WebSocket, message: str | bytes) -> None:
                for server in servers:
                    if server is not ws:
                        server.abort()

        for server, peer in zip(servers, peers, strict=True):
            server.push_to(CutOthers())
            peer.send(build_frame(1, b"x", mask_key=KEY))
        await asyncio.sleep(0.02)
        assert sum(server.close_code is None for server in servers) <= 1
        for server, peer in zip(servers, peers, strict=True):
            peer.close()
            server.abort()
            await server.wait_closed()

    run(main)


def test_a_callback_that_asked_a_cancelled_future_fails_alone(
    carrier: str, caplog: pytest.LogCaptureFixture
) -> None:
    class AskOnce(Callbacks):
        """Fails as Future.result() does, at the first connection of a batch."""

        is_done = False

        def on_message(self, ws: WebSocket, message: str | bytes) -> None:
            if not self.is_done:
                self.is_done = True
                raise asyncio.CancelledError
            ws.send_nowait(message)

    async def main() -> None:
        pairs = [await open_with_socket() for _ in range(3)]
        callbacks = AskOnce()
        for server, peer in pairs:
            server.push_to(callbacks)
            peer.send(build_frame(1, b"all", mask_key=KEY))
        answers = []
        for _, peer in pairs:
            async with asyncio.timeout(5):
                answers.append(await asyncio.get_running_loop().sock_recv(peer, 64))
        closing = build_frame(8, b"\x03\xf3")  # 1011
        assert sorted(answers) == sorted([closing, *[build_frame(1, b"all")] * 2])
        for server, peer in pairs:
            peer.close()
            await server.wait_closed()

    run(main)
    assert [record.name for record in caplog.records] == ["upwire.websocket"]


def test_a_broadcast_from_a_callback_reaches_everybody(carrier: str) -> None:
    async def main() -> None:
        pairs = [await open_with_socket() for _ in range(3)]

        class Broadcast(Callbacks):
            def on_message(self, ws: WebSocket, message: str | bytes) -> None:
                for server, _ in pairs:
                    server.send_nowait(message)

        for server, _ in pairs:
            server.push_to(Broadcast())
        pairs[0][1].send(build_frame(1, b"all", mask_key=KEY))
        for server, peer in pairs:
            assert await receive(peer, 5) == build_frame(1, b"all")
            peer.close()
            await server.wait_closed()

    run(main)


def test_a_flood_of_empty_fragments_lets_other_tasks_run(carrier: str) -> None:
    async def main() -> None:
        server, peer = await open_with_socket()
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        flood = build_frame(1, b"", is_final=False, mask_key=KEY)
        flood += build_frame(0, b"", is_final=False, mask_key=KEY) * 9999
        flood += build_frame(0, b"end", mask_key=KEY)
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(peer, flood))
        counting = asyncio.create_task(count())
        assert await server.recv() == "end"
        counting.cancel()
        await sending
        assert turns > 10_000 / 256
        peer.close()
        await closes(server)
        await server.wait_closed()

    run(main)


def test_a_peer_that_takes_nothing_of_a_closed_connection_is_cut(
    carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if carrier != "stream":
        monkeypatch.setattr("upwire.net.engine._link.CLOSE_TIMEOUT_S", 0.02)
    else:
        monkeypatch.setattr("upwire.net.stream.CLOSE_TIMEOUT_S", 0.02)

    async def main() -> None:
        server, peer = await open_with_socket()
        while server.can_send:
            server.send_nowait(bytes(50_000))
        peer.shutdown(socket.SHUT_WR)
        await server.wait_closed()
        assert server.close_code == 1006
        peer.close()

    run(main)


def test_one_frame_goes_to_all_that_take_it(carrier: str) -> None:
    async def main() -> None:
        pairs = [await open_pair() for _ in range(4)]
        servers = [server for _, server in pairs]
        slow, closed = servers[1:3]
        while slow.can_send:
            slow.send_nowait(bytes(2**20))
        closed.begin_close(1001)
        assert send_to_all(servers, PreparedMessage("to all")) == [slow, closed]
        assert await pairs[0][0].recv() == "to all"
        assert await pairs[3][0].recv() == "to all"
        with pytest.raises(ConnectionClosed) as raised:
            await closed.wait_can_send()
        assert raised.value.code == 1001
        for client, server in pairs:
            client.abort()
            await server.wait_closed()
            await client.wait_closed()

    run(main)


def test_a_frame_for_many_goes_once_the_peer_reads(carrier: str) -> None:
    async def main() -> None:
        client, server = await open_pair()
        sent = 0
        while server.can_send:
            server.send_nowait(bytes(2**20))
            sent += 1
        message = PreparedMessage("to all")
        waiting = asyncio.create_task(server.wait_can_send())
        for _ in range(sent):
            assert await client.recv() == bytes(2**20)
        await waiting
        assert server.send_prepared(message)
        assert await client.recv() == "to all"
        await client.close()
        await server.wait_closed()

    run(main)


def test_the_engine_leaves_the_loop_with_its_last_connection() -> None:
    if not _engine.is_available():
        pytest.skip("the engine is compiled code")

    async def main() -> None:
        for _ in range(2):
            client, server = await open_pair()
            assert len(driver._drivers) == 1
            await client.close()
            await server.wait_closed()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not driver._drivers

    run(main)

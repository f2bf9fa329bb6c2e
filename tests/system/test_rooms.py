"""Rooms on real connections: other people's clients that compress, and peers that do not read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

import upwire
from upwire.rooms import OutboxLimits, RoomLimits, Rooms, SlowPolicy
from upwire.wire.deflate import DeflateOptions

DEADLINE_S = 30.0
LINE = "the same words again, and again the same words; "


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


class Hall:
    """A server with one room. A member's text goes to all, and so does what `rooms` publishes;
    "echo" before it: to the member alone."""

    def __init__(self, limits: RoomLimits | None = None) -> None:
        self.rooms = Rooms(limits=limits)
        self.came = asyncio.Semaphore(0)
        self.went = asyncio.Semaphore(0)

    async def take_part(self, ws: upwire.WebSocket) -> None:
        try:
            async with self.rooms.join("hall", ws) as room:
                self.came.release()
                async for message in ws:
                    if isinstance(message, str) and message.startswith("echo"):
                        await ws.send(message)
                    else:
                        await room.publish(message)
        finally:
            self.went.release()

    async def wait_for(self, members: int) -> None:
        for _ in range(members):
            await self.came.acquire()


@pytest.mark.parametrize("resets", [False, True])
def test_clients_that_compress_understand_what_goes_to_many(resets: bool) -> None:
    """Messages of their own, whose compression has a context, mix with those for all."""

    async def main() -> None:
        hall = Hall()
        options = DeflateOptions(server_no_context_takeover=resets, min_octets=16)
        offer = ClientPerMessageDeflateFactory(server_max_window_bits=9)
        async with upwire.serve(hall.take_part, port=0, deflate=options) as server:
            url = f"ws://127.0.0.1:{server.port}/"
            async with (
                connect(url) as wide,
                connect(url, extensions=[offer], compression=None) as narrow,
                connect(url, compression=None) as plain,
                aiohttp.ClientSession() as session,
                session.ws_connect(url, compress=15) as other,
                upwire.connect(url) as ours,
            ):
                await hall.wait_for(5)
                sends: list[Callable[[str], Awaitable[None]]] = [
                    wide.send,
                    narrow.send,
                    plain.send,
                    other.send_str,
                    ours.send,
                ]
                receives: list[Callable[[], Awaitable[str | bytes]]] = [
                    wide.recv,
                    narrow.recv,
                    plain.recv,
                    other.receive_str,
                    ours.recv,
                ]
                for i in range(20):
                    text = LINE * i + str(i)
                    if i % 3 == 0:
                        for send in sends:
                            await send(f"echo {text}")
                        expected = f"echo {text}"
                    else:
                        await hall.rooms.publish("hall", text)
                        expected = text
                    for receive in receives:
                        assert await receive() == expected
        await hall.rooms.close()

    run(main)


@pytest.mark.parametrize("policy", [SlowPolicy.DROP_OLDEST, SlowPolicy.CLOSE])
def test_a_peer_that_never_reads_slows_nobody(policy: SlowPolicy) -> None:
    async def main() -> None:
        outbox = OutboxLimits(messages=8, policy=policy)
        hall = Hall(RoomLimits(outbox=outbox))
        async with upwire.serve(
            hall.take_part, port=0, deflate=False, close_timeout_s=0.1
        ) as server:
            deaf = await handshake(server.port)
            async with upwire.connect(
                f"ws://127.0.0.1:{server.port}/", receive_queue_octets=2**27
            ) as client:
                await hall.wait_for(2)
                message = bytes(2**16)
                while not (hall.rooms.metrics().dropped_oldest or hall.rooms.metrics().closed_slow):
                    await hall.rooms.publish("hall", message)
                    assert await client.recv() == message
                metrics = hall.rooms.metrics()
                assert metrics.waiting_messages <= 8
                if policy is SlowPolicy.CLOSE:
                    await hall.went.acquire()
                    assert hall.rooms.metrics().members == 1
                await client.send("still here")
                assert await client.recv() == "still here"
            deaf.close()
        await hall.rooms.close()

    run(main)


async def handshake(port: int) -> socket.socket:
    """Open a WebSocket that reads nothing behind the handshake."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(
        sock,
        b"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    assert (await loop.sock_recv(sock, 4096)).startswith(b"HTTP/1.1 101")
    return sock


def test_a_handler_that_fails_in_a_room_harms_no_other_member() -> None:
    async def main() -> None:
        hall = Hall()

        async def fail(ws: upwire.WebSocket) -> None:
            async with hall.rooms.join("hall", ws):
                hall.came.release()
                await ws.recv()
                raise ValueError("a fault of the application")

        async with (
            upwire.serve(hall.take_part, port=0) as server,
            upwire.serve(fail, port=0) as failing,
            upwire.connect(f"ws://127.0.0.1:{server.port}/") as client,
            upwire.connect(f"ws://127.0.0.1:{failing.port}/") as other,
        ):
            await hall.wait_for(2)
            await other.send("fail")
            with pytest.raises(upwire.ConnectionClosed) as raised:
                await other.recv()
            assert raised.value.code == 1011
            await client.send("hello")
            assert await client.recv() == "hello"
            assert hall.rooms.metrics().members == 1
        await hall.rooms.close()

    run(main)

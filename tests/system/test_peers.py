"""websockets, aiohttp and picows as clients of our server, and as servers of our client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

import upwire
from kit.peers import (
    Opener,
    ServerOpener,
    aiohttp_client,
    aiohttp_server,
    picows_client,
    picows_server,
    websockets_client,
    websockets_server,
)
from upwire.errors import ConnectionClosed, HandshakeRefused

DEADLINE_S = 20.0
LARGE = "grüße " * 50_000  # text of 350,000 octets, in several reads


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


CLIENTS = pytest.mark.parametrize("open_client", [websockets_client, aiohttp_client, picows_client])


async def echo(ws: upwire.WebSocket) -> None:
    async for message in ws:
        if message == "close":
            await ws.close(4002, "on request")
        else:
            await ws.send(message)


@CLIENTS
def test_their_client_talks_to_our_server(open_client: Opener) -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0, subprotocols=["echo"]) as server:
            async with open_client(f"ws://127.0.0.1:{server.port}/") as client:
                assert client.subprotocol == "echo"
                for data in ("text", b"\x00binary", "", b"", LARGE, LARGE.encode()):
                    await client.send(data)
                    assert await client.recv() == data
                await client.ping()
                (ws,) = server.websockets
                pinging = asyncio.create_task(ws.ping())
                await asyncio.sleep(0)
                await client.send("behind the ping")
                assert await client.recv() == "behind the ping"
                assert 0 < await pinging < DEADLINE_S
                await client.close(4001, "done")
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (4001, "done")

    run(main)


@CLIENTS
def test_their_client_learns_why_our_server_closes(open_client: Opener) -> None:
    async def main() -> None:
        async with (
            upwire.serve(echo, port=0, subprotocols=["echo"]) as server,
            open_client(f"ws://127.0.0.1:{server.port}/") as client,
        ):
            await client.send("close")
            assert await client.closed() == (4002, "on request")

    run(main)


@pytest.mark.parametrize("open_client", [websockets_client, aiohttp_client])
@pytest.mark.parametrize("deflate", [True, False])
def test_their_client_agrees_on_compression(open_client: Opener, deflate: bool) -> None:
    async def main() -> None:
        async with (
            upwire.serve(echo, port=0, subprotocols=["echo"], deflate=deflate) as server,
            open_client(f"ws://127.0.0.1:{server.port}/") as client,
        ):
            assert client.compresses is deflate

    run(main)


@CLIENTS
def test_their_client_gets_fragments_as_one_message(open_client: Opener) -> None:
    async def tell(ws: upwire.WebSocket) -> None:
        await ws.send(piece for piece in ("one ", "message", " in pieces"))
        await ws.recv()

    async def main() -> None:
        async with (
            upwire.serve(tell, port=0, subprotocols=["echo"]) as server,
            open_client(f"ws://127.0.0.1:{server.port}/") as client,
        ):
            assert await client.recv() == "one message in pieces"
            await client.send("thanks")
            assert await client.closed() == (1000, "")

    run(main)


SERVERS = pytest.mark.parametrize("open_server", [websockets_server, aiohttp_server, picows_server])


@SERVERS
def test_our_client_talks_to_their_server(open_server: ServerOpener) -> None:
    async def main() -> None:
        async with open_server() as url:
            async with upwire.connect(url, subprotocols=["v1", "echo"]) as ws:
                assert ws.subprotocol == "echo"
                for data in ("text", b"\x00binary", "", b"", LARGE, LARGE.encode()):
                    await ws.send(data)
                    assert await ws.recv() == data
                await ws.send(piece for piece in ("one ", "message", " in pieces"))
                assert await ws.recv() == "one message in pieces"
                assert 0 < await ws.ping() < DEADLINE_S
                await ws.close(4001, "done")
            # What the peer's Close says counts (RFC 6455 §7.1.5); aiohttp answers each with 1000.
            expected = (1000, "") if open_server is aiohttp_server else (4001, "done")
            assert (ws.close_code, ws.close_reason) == expected

    run(main)


@SERVERS
def test_our_client_learns_why_their_server_closes(open_server: ServerOpener) -> None:
    async def main() -> None:
        async with open_server() as url, upwire.connect(url, subprotocols=["echo"]) as ws:
            await ws.send("close")
            with pytest.raises(ConnectionClosed) as raised:
                await ws.recv()
            assert (raised.value.code, raised.value.reason) == (4002, "on request")
            assert raised.value.is_remote

    run(main)


@pytest.mark.parametrize("open_server", [websockets_server, aiohttp_server])
@pytest.mark.parametrize("deflate", [True, False])
def test_our_client_agrees_on_compression(open_server: ServerOpener, deflate: bool) -> None:
    async def main() -> None:
        async with (
            open_server() as url,
            upwire.connect(url, subprotocols=["echo"], deflate=deflate) as ws,
        ):
            assert ("Sec-WebSocket-Extensions" in ws.response.headers) is deflate
            for _ in range(3):
                await ws.send(LARGE)
                assert await ws.recv() == LARGE

    run(main)


@pytest.mark.parametrize("open_server", [aiohttp_server, picows_server])
def test_our_client_says_how_their_server_refuses(open_server: ServerOpener) -> None:
    async def main() -> None:
        async with open_server() as url:
            with pytest.raises(HandshakeRefused) as raised:
                await upwire.connect(url + "absent")
            assert raised.value.status == 404
            assert raised.value.mend

    run(main)

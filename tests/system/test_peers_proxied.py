"""Other people's clients and servers with a proxy between: the guide's lines, Upwire and nginx."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import upwire
from kit.nginx import frame_conf, free_port, is_nginx_there, running
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

DEADLINE_S = 20.0
LARGE = "grüße " * 50_000  # text of 350,000 octets, in several reads

SITE = """
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_pass http://127.0.0.1:%(backend)d;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_http_version 1.1;
        }
    }
"""


@contextlib.asynccontextmanager
async def our_server() -> AsyncIterator[str]:
    async def handle(ws: upwire.WebSocket) -> None:
        async for message in ws:
            if message == "close":
                await ws.close(4002, "on request")
            else:
                await ws.send(message)

    async with upwire.serve(handle, port=0, subprotocols=["echo"]) as server:
        yield f"ws://127.0.0.1:{server.port}/"


@dataclass(frozen=True)
class Kind:
    """Which proxy, and the folder that it runs in."""

    name: str
    folder: Path

    @contextlib.contextmanager
    def before(self, backend_url: str) -> Iterator[str]:
        """Run the proxy before a backend; gives the URL on the proxy."""
        port, backend = free_port(), urlsplit(backend_url).port
        conf = frame_conf(SITE % {"port": port, "backend": backend})
        with running(self.name, conf, self.folder, (port,)):
            yield f"ws://127.0.0.1:{port}/"


@pytest.fixture(
    params=[
        "upwire",
        pytest.param(
            "nginx", marks=pytest.mark.skipif(not is_nginx_there(), reason="no nginx here")
        ),
    ]
)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    return Kind(request.param, tmp_path)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


@contextlib.asynccontextmanager
async def path_to(open_server: ServerOpener, kind: Kind) -> AsyncIterator[str]:
    """Open a server and the proxy before it; starting the proxy must not hold up the server."""
    async with open_server() as backend_url:
        proxy = kind.before(backend_url)
        url = await asyncio.to_thread(proxy.__enter__)
        try:
            yield url
        finally:
            await asyncio.to_thread(proxy.__exit__, None, None, None)


@pytest.mark.parametrize(
    "open_server", [our_server, websockets_server, aiohttp_server, picows_server]
)
def test_our_client_reaches_a_server_through_the_proxy(
    kind: Kind, open_server: ServerOpener
) -> None:
    async def main() -> None:
        async with path_to(open_server, kind) as url:
            async with upwire.connect(url, subprotocols=["v1", "echo"]) as ws:
                assert ws.subprotocol == "echo"
                for data in ("text", b"\x00binary", "", b"", LARGE, LARGE.encode()):
                    await ws.send(data)
                    assert await ws.recv() == data
                assert 0 < await ws.ping() < DEADLINE_S
                await ws.send("close")
                with pytest.raises(upwire.ConnectionClosed) as raised:
                    await ws.recv()
            assert (raised.value.code, raised.value.reason) == (4002, "on request")

    run(main)


@pytest.mark.parametrize("open_client", [websockets_client, aiohttp_client, picows_client])
def test_their_client_reaches_our_server_through_the_proxy(kind: Kind, open_client: Opener) -> None:
    async def main() -> None:
        async with path_to(our_server, kind) as url, open_client(url) as client:
            assert client.subprotocol == "echo"
            for data in ("text", b"\x00binary", LARGE):
                await client.send(data)
                assert await client.recv() == data
            await client.ping()
            await client.send("close")
            assert (await client.closed())[0] == 4002

    run(main)

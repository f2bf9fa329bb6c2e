"""Who ends a silent connection, and when."""

from __future__ import annotations

import asyncio

import pytest

from kit.backend import Script, backend
from upwire.client.url import parse_url
from upwire.probe.asking import Asker
from upwire.probe.cases import Asked, handshake
from upwire.probe.echo_backend import echo_backend
from upwire.probe.evidence import Idle
from upwire.probe.hops import Budget, Dialer, front_hop
from upwire.probe.ladder import watch_idle

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def says(octets: bytes, *, closes: bool = False) -> Script:
    """Switch, and send octets behind it; answer nothing that comes later."""

    async def script(request: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.startswith(b"GET"):
            writer.write(SWITCH + octets)
            if closes:
                writer.close()

    return script


async def watch(port: int, watched_s: float, *, backend_port: int | None = None) -> Idle | None:
    asked = Asked(parse_url(f"ws://127.0.0.1:{port}/"), KEY)
    front = Asker(Dialer(front_hop(asked.url, None), Budget(9), 2.0))
    front.greets = False
    direct = None
    if backend_port is not None:
        url = parse_url(f"ws://127.0.0.1:{backend_port}/")
        direct = Asker(Dialer(front_hop(url, None), Budget(9), 2.0))
    async with asyncio.timeout(10):
        return await watch_idle(front, direct, handshake(asked), watched_s)


def watched(script: Script, watched_s: float = 0.2) -> Idle | None:
    async def main() -> Idle | None:
        async with backend(script, []) as port:
            return await watch(port, watched_s)

    return asyncio.run(main())


def test_a_server_that_lets_silence_be() -> None:
    async def main() -> Idle | None:
        async with echo_backend("127.0.0.1", 0) as port:
            return await watch(port, 0.1, backend_port=port)

    idle = asyncio.run(main())
    assert idle is not None
    assert idle.silent.ended_s is None
    assert idle.pinged.ended_s is None
    assert idle.direct is not None
    assert idle.direct.close_code == 0


@pytest.mark.parametrize("octets", [b"", b"\xff\xff"])
def test_an_end_without_a_close(octets: bytes) -> None:
    idle = watched(says(octets, closes=True))
    assert idle is not None
    assert idle.silent.ended_s is not None
    assert idle.silent.ended_s < 0.2
    assert idle.direct is None


def test_a_close_is_the_application_s_own() -> None:
    idle = watched(says(b"\x88\x02\x03\xe9"))
    assert idle is not None
    assert (idle.silent.ended_s, idle.silent.close_code) == (None, 1001)


def test_pings_of_the_server_are_noted() -> None:
    idle = watched(says(b"\x89\x00\x89\x00"), 0.05)
    assert idle is not None
    assert idle.silent.server_ping_s is not None
    assert idle.pinged.server_ping_s is None


def test_what_does_not_open_is_not_watched() -> None:
    async def refuse(_: bytes, __: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    assert watched(refuse) is None

"""Clients that speak TLS to a proxy in this process, over memory."""

from __future__ import annotations

import asyncio

from OpenSSL import SSL

from kit.memory_stream import memory_pair
from kit.nginx import Answer, parse_answer
from kit.proxy_site import BOUND, read_to_end
from upwire.net.stream import Stream
from upwire.net.tls.transport import start_tls
from upwire.proxy.cycle import Cycle
from upwire.proxy.downstream import accept

DEADLINE_S = 5.0


class TlsVisit:
    """One connection of a client to a cycle."""

    def __init__(self, cycle: Cycle) -> None:
        self.client, self._near = memory_pair()
        self._near.local_address = BOUND
        self._near.peer_address = ("10.1.2.3", 4567)
        self._serving = asyncio.create_task(self._serve(cycle))

    async def _serve(self, cycle: Cycle) -> None:
        downstream = await accept(self._near, BOUND, 7, lambda: cycle)
        if downstream is not None:
            await downstream.serve()

    async def shake_hands(self, connection: SSL.Connection) -> Stream:
        """Return the client's Stream; StreamError where the handshake fails."""
        return (await start_tls(self.client, connection, timeout_s=DEADLINE_S)).open()

    async def end(self) -> None:
        """Leave, and wait for the proxy to notice."""
        self.client.abort()
        await self._serving


async def get_over_tls(
    cycle: Cycle, connection: SSL.Connection, *, host: str = "h", target: str = "/"
) -> Answer:
    """Make one request on a connection of its own; StreamError where the handshake fails."""
    visit = TlsVisit(cycle)
    try:
        stream = await visit.shake_hands(connection)
        stream.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return parse_answer(await read_to_end(stream))
    finally:
        await visit.end()

"""The proxy in this very process: a configuration, its cycle, and clients over memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kit.memory_stream import memory_pair
from kit.nginx import Answer, parse_answer
from upwire.conf.model import Config, build
from upwire.conf.syntax import parse
from upwire.net.stream import Stream
from upwire.proxy.cycle import Cycle, Surroundings
from upwire.proxy.downstream import Downstream
from upwire.proxy.request import ClientFacts, Request
from upwire.proxy.status import Counters
from upwire.proxy.variables import look_up
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead

LISTENING = "server {{ listen 127.0.0.1:80; {directives} }}"
BOUND = ("127.0.0.1", 80)


def read_conf(http: str, version: tuple[int, int, int] = (1, 31, 5)) -> Config:
    """Return the configuration of an http block."""
    return build(parse(f"events {{}} http {{ {http} }}"), version=version)


def resolve_literally(host: str) -> list[str]:
    """Resolve addresses to themselves, and no name."""
    if not host[-1].isdecimal():
        raise OSError("no such name")
    return [host]


@contextmanager
def cycle_of(http: str, folder: Path, *, counters: Counters | None = None) -> Iterator[Cycle]:
    """Put a configuration in use below folder; errors of level info go to error.log there."""
    around = Surroundings(
        prefix=str(folder), resolve=resolve_literally, counters=counters or Counters()
    )
    cycle = Cycle(read_conf("error_log error.log info; access_log access.log; " + http), around)
    try:
        yield cycle
    finally:
        cycle.close()


def make_request(
    cycle: Cycle,
    target: str = "/",
    fields: Mapping[str, str] | Headers | None = None,
    *,
    method: str = "GET",
) -> Request:
    """Return a request that is on no wire, with its path taken apart and its location found."""
    servers = cycle.router.servers_at(BOUND, BOUND)
    client = ClientFacts(7, "10.1.2.3", 4567, "127.0.0.1", 80, servers, cycle.wall_clock())
    head = RequestHead(method, target, (1, 1), Headers(fields or {}))
    request = Request(cycle, client, head, servers.default, look_up)
    request.uri, _, request.args = target.partition("?")
    route = cycle.router.locations_of(request.server).find(request.uri)
    request.settle(route.location)
    request.capture(route.captures)
    return request


class Visit:
    """One connection of a client to a cycle, over memory."""

    def __init__(self, cycle: Cycle) -> None:
        self.client, near = memory_pair()
        near.local_address = BOUND
        near.peer_address = ("10.1.2.3", 4567)
        self.downstream = Downstream(near, BOUND, 7, lambda: cycle)
        self._counters = cycle.counters

    async def serve(self) -> None:
        """Run the proxy's side until the connection ends."""
        await self.downstream.serve()
        await self._counters.wait_tunnels()


async def read_to_end(stream: Stream) -> bytes:
    """Return all that comes until the other side ends."""
    received = bytearray()
    while octets := await stream.read(timeout_s=10):
        received += octets
    return bytes(received)


async def visit(cycle: Cycle, octets: bytes) -> Answer:
    """Send octets and return the answer that comes until the proxy ends the connection."""
    one = Visit(cycle)
    one.client.write(octets)
    serving = asyncio.create_task(one.serve())
    received = await read_to_end(one.client)
    one.client.close()
    await serving
    return parse_answer(received)


async def get(cycle: Cycle, target: str, *fields: str, method: str = "GET") -> Answer:
    """Make one request on a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]
    return await visit(cycle, "\r\n".join(lines).encode("latin-1"))

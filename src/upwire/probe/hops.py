"""Where a path to the server can be entered: its public address, a gateway inside, the backend."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field, replace
from ssl import SSLContext

from upwire.client.url import WebSocketUrl, parse_url
from upwire.errors import LocalProtocolError
from upwire.net.dial import dial
from upwire.net.stream import Stream


@dataclass(frozen=True, slots=True)
class Hop:
    """An address to connect to, and what to ask for there.

    url: what is asked for. host, port, unix: where. tls: the context, None in the clear.
    """

    name: str
    url: WebSocketUrl
    host: str
    port: int
    unix: str | None = None
    tls: SSLContext | None = None

    @property
    def address(self) -> str:
        """Where it is, as one writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.unix}" if self.unix is not None else f"{host}:{self.port}"


@dataclass(slots=True)
class Budget:
    """How many connections may be made, so that nobody takes the prober for an attack."""

    limit: int
    used: int = 0

    def take(self) -> None:
        """Count one. Raises LocalProtocolError where none is left."""
        if self.used >= self.limit:
            raise LocalProtocolError(f"the limit of {self.limit} connections is reached")
        self.used += 1


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections to a hop, each within timeout_s."""

    hop: Hop
    budget: Budget
    timeout_s: float = field(default=5.0)

    async def dial(self) -> tuple[Stream, float]:
        """Return a connection and how long it took, in seconds. Raises ConnectError."""
        self.budget.take()
        hop, started_s = self.hop, time.monotonic()
        stream = await dial(
            hop.host,
            hop.port,
            unix=hop.unix,
            tls=hop.tls,
            server_hostname=hop.url.host if hop.tls is not None else None,
            timeout_s=self.timeout_s,
        )
        return stream, time.monotonic() - started_s


def front_hop(url: WebSocketUrl, tls: SSLContext | None) -> Hop:
    """Return the hop that a client of the URL comes to."""
    return Hop("URL", url, url.host, url.port, url.unix, tls if url.is_secure else None)


def via_hop(url: WebSocketUrl, address: str, tls: SSLContext | None) -> Hop:
    """Return the hop at HOST[:PORT] that is asked for the same URL."""
    at = parse_url(f"{url.scheme.removesuffix('+unix')}://{address}")
    port = at.port if at.authority != at.host else url.port
    return replace(front_hop(url, tls), name=f"via {address}", host=at.host, port=port, unix=None)


def backend_hop(url: WebSocketUrl, backend: str, tls: SSLContext | None) -> Hop:
    """Return the server behind the gateway: a URL, or HOST:PORT for ws://.

    Where it names no path, it is asked for the URL's; for the URL's host always, as a gateway
    that is right asks.
    """
    scheme, mark, rest = backend.partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    at = parse_url(f"{scheme}://{rest}" if mark else f"ws://{backend}")
    resource = url.resource if at.resource == "/" else at.resource
    asked = replace(url, resource=resource, scheme=url.scheme)
    return Hop("backend", asked, at.host, at.port, at.unix, tls if at.is_secure else None)


async def resolve(hop: Hop, timeout_s: float) -> list[str]:
    """Return every address of a hop's name. Raises OSError or TimeoutError."""
    if hop.unix is not None:
        return [hop.address]
    return await resolve_name(hop.host, hop.port, timeout_s)


async def resolve_name(host: str, port: int, timeout_s: float) -> list[str]:
    """Return every address of a name. Raises OSError or TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))

"""What the proxy counts, for `--status`, `stub_status` and the demo's dashboard."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Protocol

from upwire.net.http1 import HttpConnection, HttpExchange
from upwire.net.listener import Listener
from upwire.net.stream import Address, Stream
from upwire.version import __version__


class LiveTunnel(Protocol):
    """A tunnel that is open: what went through it so far."""

    def totals(self) -> tuple[int, int, int, int]:
        """Return messages and octets from the client, messages and octets to the client."""


class Counters:
    """The numbers since the start; they outlive a reload."""

    __slots__ = (
        "_finished_tunnels",
        "accepted",
        "active",
        "handled",
        "in_flight",
        "requests",
        "started_s",
        "statuses",
        "tunnels_open",
        "tunnels_total",
    )

    def __init__(self) -> None:
        self.started_s = time.time()
        self.accepted = 0
        self.handled = 0
        self.active = 0
        self.requests = 0
        self.in_flight = 0
        self.statuses: Counter[int] = Counter()
        self.tunnels_total = 0
        self.tunnels_open: set[LiveTunnel] = set()
        self._finished_tunnels = [0, 0, 0, 0]

    def tunnel_began(self, tunnel: LiveTunnel) -> None:
        """Count a tunnel that was just opened."""
        self.tunnels_total += 1
        self.tunnels_open.add(tunnel)

    def tunnel_ended(self, tunnel: LiveTunnel) -> None:
        """Keep the totals of a tunnel that has ended."""
        self.tunnels_open.discard(tunnel)
        for index, total in enumerate(tunnel.totals()):
            self._finished_tunnels[index] += total

    def tunnel_totals(self) -> tuple[int, int, int, int]:
        """Return messages and octets from clients and to clients, of all tunnels ever."""
        totals = list(self._finished_tunnels)
        for tunnel in self.tunnels_open:
            for index, total in enumerate(tunnel.totals()):
                totals[index] += total
        return totals[0], totals[1], totals[2], totals[3]


def to_json(counters: Counters) -> bytes:
    """Return the numbers as one JSON object; times in seconds."""
    from_clients, from_octets, to_clients, to_octets = counters.tunnel_totals()
    status = {
        "version": __version__,
        "uptime_s": round(time.time() - counters.started_s, 3),
        "connections": {
            "active": counters.active,
            "accepted": counters.accepted,
            "handled": counters.handled,
        },
        "requests": {
            "total": counters.requests,
            "by_status": {str(code): number for code, number in sorted(counters.statuses.items())},
        },
        "tunnels": {
            "open": len(counters.tunnels_open),
            "total": counters.tunnels_total,
            "from_clients": {"messages": from_clients, "octets": from_octets},
            "to_clients": {"messages": to_clients, "octets": to_octets},
        },
    }
    return json.dumps(status, indent=1).encode() + b"\n"


class StatusServer:
    """Answers GET / with the numbers, on an address of its own."""

    __slots__ = ("_counters", "_listener")

    def __init__(self, counters: Counters, host: str, port: int) -> None:
        """Bind the address; raises ConfigError."""
        self._counters = counters
        self._listener = Listener(self._serve)
        self._listener.bind(host, port)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens."""
        return self._listener.addresses

    def start(self) -> None:
        """Begin to accept, with the loop running."""
        self._listener.start()

    async def close(self) -> None:
        """Stop, and cut whoever is still asking."""
        await self._listener.drain(0)

    async def _serve(self, stream: Stream) -> None:
        await HttpConnection(stream).serve(self._answer)

    async def _answer(self, http: HttpExchange) -> None:
        if http.head.method not in ("GET", "HEAD"):
            await http.respond(405, headers=[("Allow", "GET, HEAD")])
        elif http.head.path != "/":
            await http.respond(404)
        else:
            fields = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
            await http.respond(200, headers=fields, body=to_json(self._counters))

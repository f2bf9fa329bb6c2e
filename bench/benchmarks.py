"""What is measured: each benchmark, its scenarios, and who takes part.

The first contender of each is what the others are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVERS = (
    "upwire",
    "socketify",
    "picows",
    "aiohttp",
    "websockets",
    "uvicorn_websockets",
    "uvicorn_wsproto",
    "granian",
    "tornado",
)
TUNNELS = ("nginx", "upwire", "nginx_tuned", "haproxy", "caddy")
CLIENTS = ("upwire", "picows", "websockets", "aiohttp")


@dataclass(frozen=True, slots=True)
class Scenario:
    connections: int
    payload_octets: int = 32
    in_flight: int = 1

    def __str__(self) -> str:
        size = f"{self.payload_octets} B"
        if self.payload_octets >= 1024:
            size = f"{self.payload_octets // 1024} KiB"
        behind = f", {self.in_flight} in flight" if self.in_flight > 1 else ""
        return f"{self.connections} : {size}{behind}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """measure: which function of measure.py. role: of the contenders. unit: of the value."""

    name: str
    title: str
    measure: str
    role: str
    unit: str
    contenders: tuple[str, ...]
    scenarios: tuple[Scenario, ...]


BENCHMARKS = (
    Benchmark(
        "echo",
        "Echo server, connections : payload",
        "echo",
        "echo",
        "messages/s",
        (*SERVERS, "floor"),
        (Scenario(50), Scenario(500), Scenario(50, in_flight=16), Scenario(50, 16 * 1024)),
    ),
    Benchmark(
        "tunnel",
        "Tunnel through a proxy, connections : payload",
        "tunnel",
        "tunnel",
        "messages/s",
        TUNNELS,
        (Scenario(50), Scenario(500), Scenario(50, 16 * 1024), Scenario(50, 256 * 1024)),
    ),
    Benchmark(
        "idle-server",
        "Memory of an idle connection, server",
        "idle",
        "echo",
        "octets",
        SERVERS,
        (Scenario(2000),),
    ),
    Benchmark(
        "idle-tunnel",
        "Memory of an idle tunnel",
        "idle_tunnel",
        "tunnel",
        "octets",
        TUNNELS,
        (Scenario(2000),),
    ),
    Benchmark(
        "handshakes",
        "Connections through handshake and close",
        "handshakes",
        "echo",
        "connections/s",
        SERVERS,
        (Scenario(20),),
    ),
    Benchmark(
        "client",
        "Round trips of a client, against one server (picows)",
        "client",
        "client",
        "round trips/s",
        CLIENTS,
        (Scenario(1), Scenario(1, 16 * 1024)),
    ),
)

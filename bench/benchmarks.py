"""What is measured: each benchmark, its scenarios, and who takes part.

The first contender of each is what the others are compared with. The targets that these figures
are held against are in targets.py.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024

SERVERS = (
    "upwire",
    "upwire_callbacks",
    "upwire_uvloop",
    "uwebsockets",
    "socketify",
    "picows",
    "aiohttp",
    "websockets",
    "uvicorn_websockets",
    "uvicorn_wsproto",
    "hypercorn",
    "granian",
    "tornado",
)
ASGI_SERVERS = ("upwire_asgi", "uvicorn_websockets", "uvicorn_wsproto", "granian", "hypercorn")
ASGI_HTTP_SERVERS = ("upwire_asgi", "uvicorn_standard", "granian", "hypercorn")
TUNNELS = ("nginx", "upwire", "nginx_tuned", "haproxy", "caddy")
CLIENTS = ("upwire", "upwire_uvloop", "picows", "websockets", "aiohttp")
ROOMS = ("upwire", "websockets", "picows")
DEFLATING = ("upwire", "websockets", "aiohttp", "picows", "socketify", "uwebsockets")


@dataclass(frozen=True, slots=True)
class Scenario:
    """held: connections that are open beside those that are measured. rate_per_s: of all
    connections together; 0 as fast as they go."""

    connections: int
    payload_octets: int = 32
    in_flight: int = 1
    held: int = 0
    rate_per_s: int = 0

    def __str__(self) -> str:
        size = f"{self.payload_octets} B"
        if self.payload_octets >= KIB:
            size = f"{self.payload_octets // KIB} KiB"
        in_flight = f", {self.in_flight} in flight" if self.in_flight > 1 else ""
        rate = f", {self.rate_per_s:,} a second" if self.rate_per_s else ""
        held = f", beside {self.held:,}" if self.held else ""
        return f"{self.connections:,} : {size}{in_flight}{rate}{held}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """measure: which function of measure.py. roles: of which each contender has one. unit: of the
    value.

    max_rounds: where more would only say the same again.
    """

    name: str
    title: str
    measure: str
    roles: tuple[str, ...]
    unit: str
    contenders: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    max_rounds: int | None = None


BENCHMARKS = (
    Benchmark(
        "echo",
        "Echo server, connections : payload",
        "echo",
        ("echo",),
        "messages/s",
        (*SERVERS, "floor"),
        (Scenario(50), Scenario(500), Scenario(50, in_flight=16), Scenario(50, 16 * KIB)),
    ),
    Benchmark(
        "deflate",
        "Echo of compressed JSON, connections : payload",
        "deflate",
        ("deflate",),
        "messages/s",
        DEFLATING,
        (Scenario(50, KIB),),
    ),
    Benchmark(
        "tunnel",
        "Tunnel through a proxy, connections : payload",
        "tunnel",
        ("tunnel",),
        "messages/s",
        TUNNELS,
        (
            Scenario(50),
            Scenario(500),
            Scenario(50, 16 * KIB),
            Scenario(500, 16 * KIB),
            Scenario(50, 256 * KIB),
        ),
    ),
    Benchmark(
        "tunnel-single",
        "One tunnel, one message at a time",
        "tunnel",
        ("tunnel",),
        "messages/s",
        ("nginx", "upwire", "upwire_spinning", "nginx_tuned", "haproxy", "caddy"),
        (Scenario(1),),
    ),
    Benchmark(
        "tunnel-tls",
        "Tunnel from TLS to plain TCP, connections : payload",
        "tunnel_tls",
        ("tls",),
        "messages/s",
        TUNNELS,
        (Scenario(50), Scenario(50, 16 * KIB)),
    ),
    Benchmark(
        "idle-server",
        "Memory of an idle connection, server",
        "idle",
        ("echo",),
        "octets",
        SERVERS,
        (Scenario(2000),),
        max_rounds=1,
    ),
    Benchmark(
        "idle-tunnel",
        "Memory of an idle tunnel",
        "idle_tunnel",
        ("tunnel",),
        "octets",
        TUNNELS,
        (Scenario(2000),),
        max_rounds=1,
    ),
    Benchmark(
        "handshakes",
        "Connections through handshake and close, server",
        "handshakes",
        ("echo",),
        "connections/s",
        (*SERVERS, "floor"),
        (Scenario(20), Scenario(20, held=5000)),
    ),
    Benchmark(
        "handshakes-tunnel",
        "Connections through handshake and close, proxy",
        "tunnel_handshakes",
        ("tunnel",),
        "connections/s",
        TUNNELS,
        (Scenario(20), Scenario(20, held=5000)),
    ),
    Benchmark(
        "client",
        "Round trips of a client, against one server (picows)",
        "client",
        ("client",),
        "round trips/s",
        CLIENTS,
        (Scenario(1), Scenario(1, 16 * KIB)),
    ),
    Benchmark(
        "http",
        "Plain HTTP through a proxy, connections : content",
        "http",
        ("http",),
        "requests/s",
        ("nginx", "upwire"),
        (Scenario(50, KIB), Scenario(50, 64 * KIB)),
    ),
    Benchmark(
        "many",
        "Many connections, few messages",
        "many",
        ("many", "echo"),
        "messages/s",
        ("upwire", "nginx", "picows"),
        (Scenario(10_000, rate_per_s=1000),),
        max_rounds=1,
    ),
    Benchmark(
        "rooms",
        "One message to all members of a room, members : payload",
        "rooms",
        ("rooms",),
        "deliveries/s",
        ROOMS,
        (Scenario(5000, 128),),
    ),
    Benchmark(
        "asgi-echo",
        "Echo of an ASGI application, connections : payload",
        "echo",
        ("echo",),
        "messages/s",
        ASGI_SERVERS,
        (Scenario(50), Scenario(50, 16 * KIB)),
    ),
    Benchmark(
        "asgi-http",
        "Plain HTTP of an ASGI application, connections",
        "hello",
        ("hello",),
        "requests/s",
        ASGI_HTTP_SERVERS,
        (Scenario(50),),
    ),
    Benchmark(
        "asgi-idle",
        "Memory of an idle WebSocket of an ASGI application",
        "idle",
        ("echo",),
        "octets",
        ASGI_SERVERS,
        (Scenario(2000),),
        max_rounds=1,
    ),
)

GROUPS = {"asgi": ("asgi-echo", "asgi-http", "asgi-idle")}
"""Names for several benchmarks."""

"""What Upwire is to reach beside the others, and whether the figures in build/bench say so."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.benchmarks import KIB, Scenario

FULL = 0.95
"""The share of its core from which on the load generator may be what was measured."""

Facts = Mapping[str, Any]  # Any: what JSON gives; report.to_json() wrote it


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of a contender: by itself, or divided by another's of the same round.

    at_least, at_most: one of them is given. what: a field of Sample.
    """

    name: str
    text: str
    benchmark: str
    scenario: Scenario
    at_least: float | None = None
    at_most: float | None = None
    contender: str = "upwire"
    versus: str | None = None
    what: str = "value"

    @property
    def wanted(self) -> str:
        """The bound as it is shown."""
        sign, bound = ("≥", self.at_least) if self.at_most is None else ("≤", self.at_most)
        return f"{sign} {_show(bound)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """measured: None where it was not; then missing says why. is_load_full: of the contender."""

    target: Target
    measured: float | None
    missing: str = ""
    is_load_full: bool = False

    @property
    def is_met(self) -> bool | None:
        """None: nobody knows."""
        if self.measured is None:
            return None
        if self.target.at_most is not None:
            return self.measured <= self.target.at_most
        return self.target.at_least is None or self.measured >= self.target.at_least

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"is_met": self.is_met}


def judge(target: Target, folder: Path) -> Verdict:
    """Hold a target against the last figures of its benchmark in a folder."""
    try:
        facts = json.loads((folder / f"{target.benchmark}.json").read_text("utf-8"))
        own = _contender(facts, target.scenario, target.contender)
        figures = _figures(own, target.what)
        if target.versus is not None:
            other = _figures(_contender(facts, target.scenario, target.versus), target.what)
            figures = [one / base for one, base in zip(figures, other, strict=False)]
    except FileNotFoundError:
        return Verdict(target, None, "not measured")
    except LookupError as error:
        return Verdict(target, None, str(error.args[0]))
    busy = [sample["busy"] for sample in own["rounds"] if sample["busy"] is not None]
    is_full = bool(busy) and statistics.median(busy) >= FULL
    return Verdict(target, statistics.median(figures), is_load_full=is_full)


def rows(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """Return a table: its header, then a row for each target."""
    return [
        ("target", "wanted", "measured", "met"),
        *(
            (
                verdict.target.text,
                verdict.target.wanted,
                "" if verdict.measured is None else _show(verdict.measured),
                _show_met(verdict),
            )
            for verdict in verdicts
        ),
    ]


def _contender(facts: Facts, scenario: Scenario, name: str) -> Facts:
    """Return what was found of a contender. Raises LookupError with the reason for none."""
    for found in facts["scenarios"]:
        if all(found.get(key) == value for key, value in asdict(scenario).items()):
            for one in found["contenders"]:
                if one["name"] == name:
                    if one["void"]:
                        raise LookupError(f"{name} is void: {one['void']}")
                    return dict(one)
            reason = facts["left_out"].get(name, "was not asked to")
            raise LookupError(f"{name} did not take part: {reason}")
    raise LookupError("the scenario was not measured")


def _figures(one: Facts, what: str) -> list[float]:
    figures = [sample[what] for sample in one["rounds"]]
    if not figures or any(not figure for figure in figures):
        raise LookupError(f"{one['name']} has no {what}")
    return figures


def _show(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _show_met(verdict: Verdict) -> str:
    if verdict.is_met is None:
        return f"? {verdict.missing}"
    full = ", with the load full" if verdict.is_load_full else ""
    if verdict.is_met:
        return f"yes{full}"
    return f"[no](#{verdict.target.name}){full}"


def _tunnel(name: str, scenario: Scenario, versus: str, bound: float, text: str) -> Target:
    return Target(name, text, "tunnel", scenario, bound, versus=versus)


def _echo(
    name: str, contender: str, versus: str, bound: float, text: str, in_flight: int = 1
) -> Target:
    scenario = Scenario(50, in_flight=in_flight)
    return Target(name, text, "echo", scenario, bound, contender=contender, versus=versus)


def _asgi_echo(name: str, payload_octets: int, versus: str, bound: float, text: str) -> Target:
    scenario = Scenario(50, payload_octets)
    return Target(name, text, "asgi-echo", scenario, bound, contender="upwire_asgi", versus=versus)


TARGETS = (
    Target(
        "http-1k",
        "plain HTTP through the proxy, 50 : 1 KiB, to nginx",
        "http",
        Scenario(50, KIB),
        at_least=0.35,
        versus="nginx",
    ),
    _tunnel("tunnel-50-32", Scenario(50), "nginx", 1.0, "tunnel 50 : 32 B, to nginx"),
    _tunnel("tunnel-500-32", Scenario(500), "nginx", 1.1, "tunnel 500 : 32 B, to nginx"),
    _tunnel("tunnel-50-16k", Scenario(50, 16 * KIB), "nginx", 4, "tunnel 50 : 16 KiB, to nginx"),
    _tunnel("tunnel-500-16k", Scenario(500, 16 * KIB), "nginx", 3, "tunnel 500 : 16 KiB, to nginx"),
    _tunnel(
        "tunnel-50-16k-tuned",
        Scenario(50, 16 * KIB),
        "nginx_tuned",
        1.05,
        "tunnel 50 : 16 KiB, to tuned nginx",
    ),
    _tunnel(
        "tunnel-500-16k-tuned",
        Scenario(500, 16 * KIB),
        "nginx_tuned",
        1.05,
        "tunnel 500 : 16 KiB, to tuned nginx",
    ),
    _tunnel("tunnel-50-256k", Scenario(50, 256 * KIB), "nginx", 4, "tunnel 50 : 256 KiB, to nginx"),
    Target(
        "tunnel-50-256k-cpu",
        "tunnel 50 : 256 KiB, CPU an octet, to tuned nginx",
        "tunnel",
        Scenario(50, 256 * KIB),
        at_most=1 / 1.3,
        versus="nginx_tuned",
        what="cpu_us",
    ),
    Target(
        "tunnel-single",
        "tunnel 1 : 32 B, spinning, to nginx",
        "tunnel-single",
        Scenario(1),
        at_least=3,
        contender="upwire_spinning",
        versus="nginx",
    ),
    Target(
        "tunnel-idle",
        "memory of an idle tunnel, to nginx",
        "idle-tunnel",
        Scenario(2000),
        at_most=1 / 20,
        versus="nginx",
    ),
    Target(
        "tls-50-32",
        "wss tunnel 50 : 32 B, CPU a message, to nginx",
        "tunnel-tls",
        Scenario(50),
        at_most=1 / 0.9,
        versus="nginx",
        what="cpu_us",
    ),
    Target(
        "tls-50-16k",
        "wss tunnel 50 : 16 KiB, CPU a message, to nginx",
        "tunnel-tls",
        Scenario(50, 16 * KIB),
        at_most=1 / 1.7,
        versus="nginx",
        what="cpu_us",
    ),
    _echo(
        "echo-callbacks-uws", "upwire_callbacks", "uwebsockets", 0.9, "callbacks, to uWebSockets"
    ),
    _echo("echo-callbacks-picows", "upwire_callbacks", "picows", 1.2, "callbacks, to picows"),
    _echo(
        "echo-callbacks-pipelined",
        "upwire_callbacks",
        "picows",
        8,
        "callbacks, 16 in flight, to picows",
        in_flight=16,
    ),
    _echo("echo-uws", "upwire", "uwebsockets", 0.8, "coroutines, to uWebSockets"),
    _echo("echo-picows", "upwire", "picows", 1.05, "coroutines, to picows"),
    _echo("echo-websockets", "upwire", "websockets", 3, "coroutines, to websockets"),
    _echo("echo-aiohttp", "upwire", "aiohttp", 1.7, "coroutines, to aiohttp"),
    Target(
        "server-idle",
        "octets of an idle server connection",
        "idle-server",
        Scenario(2000),
        at_most=3000,
    ),
    Target(
        "handshakes-websockets",
        "new connections a second, server, to websockets",
        "handshakes",
        Scenario(20),
        at_least=3,
        contender="upwire_uvloop",  # as the other
        versus="websockets",
    ),
    Target(
        "handshakes-picows",
        "new connections a second, server, to picows",
        "handshakes",
        Scenario(20),
        at_least=1,
        contender="upwire_uvloop",  # as the other
        versus="picows",
    ),
    Target(
        "client-picows",
        "client round trips, to picows",
        "client",
        Scenario(1),
        at_least=1,
        contender="upwire_uvloop",  # as the other
        versus="picows",
    ),
    Target(
        "client-websockets",
        "client round trips, to websockets",
        "client",
        Scenario(1),
        at_least=2,
        contender="upwire_uvloop",  # as the other
        versus="websockets",
    ),
    Target(
        "deflate-websockets",
        "compressed echo of 1 KiB JSON, to websockets",
        "deflate",
        Scenario(50, KIB),
        at_least=1.5,
        versus="websockets",
    ),
    Target(
        "many",
        "10,000 tunnels, 1,000 messages a second, p99 in µs",
        "many",
        Scenario(10_000, rate_per_s=1000),
        at_most=50_000,
        what="p99_us",
    ),
    Target(
        "rooms-websockets",
        "a message to 5,000 members, to websockets",
        "rooms",
        Scenario(5000, 128),
        at_least=2,
        versus="websockets",
    ),
    Target(
        "rooms-picows",
        "a message to 5,000 members, to picows",
        "rooms",
        Scenario(5000, 128),
        at_least=1,
        versus="picows",
    ),
    _asgi_echo("asgi-echo-32", 32, "uvicorn_websockets", 2.5, "ASGI echo of 32 B, to uvicorn"),
    _asgi_echo(
        "asgi-echo-16k",
        16 * KIB,
        "uvicorn_websockets",
        2.5,
        "ASGI echo of 16 KiB, to uvicorn",
    ),
    _asgi_echo("asgi-echo-wsproto", 32, "uvicorn_wsproto", 2.5, "the same of 32 B, with wsproto"),
    _asgi_echo("asgi-granian-32", 32, "granian", 1, "ASGI echo of 32 B, to granian"),
    _asgi_echo("asgi-granian-16k", 16 * KIB, "granian", 1, "ASGI echo of 16 KiB, to granian"),
    Target(
        "asgi-http",
        "ASGI, plain HTTP, to uvicorn[standard]",
        "asgi-http",
        Scenario(50),
        at_least=1,
        contender="upwire_asgi",
        versus="uvicorn_standard",
    ),
    Target(
        "asgi-idle",
        "octets of an idle WebSocket of ASGI, to uvicorn",
        "asgi-idle",
        Scenario(2000),
        at_most=0.5,
        contender="upwire_asgi",
        versus="uvicorn_websockets",
    ),
)

"""`upwire bench`: puts a WebSocket server under load and shows what came of it."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass, field
from typing import TextIO

from upwire.client.url import parse_url
from upwire.errors import UpwireError
from upwire.load import _engine
from upwire.load.histogram import PERCENTILES
from upwire.load.measure import Load, Result, Work, open_load
from upwire.net.tls import client_context

BAR_CELLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What `upwire bench` can be told."""

    url: str = field(metadata={"help": "ws://, wss:// or ws+unix://, of a server that echoes"})
    connections: int = field(
        default=50, metadata={"flags": ("-c",), "metavar": "N", "help": "how many WebSockets"}
    )
    payload: int = field(
        default=32, metadata={"flags": ("-p",), "metavar": "OCTETS", "help": "of each message"}
    )
    in_flight: int = field(
        default=1, metadata={"metavar": "N", "help": "messages under way on each connection"}
    )
    rate: float = field(
        default=0.0,
        metadata={
            "metavar": "PER_SECOND",
            "help": "messages of all connections together; a latency then begins when its "
            "message was due. 0: as fast as echoes come",
        },
    )
    duration: float = field(
        default=10.0, metadata={"metavar": "SECONDS", "help": "how long to measure"}
    )
    count: int | None = field(
        default=None, metadata={"metavar": "N", "help": "end after so many messages"}
    )
    warm_up: float = field(
        default=0.5, metadata={"metavar": "SECONDS", "help": "drive so long before, uncounted"}
    )
    text: bool = field(default=False, metadata={"help": "send text messages instead of binary"})
    header: tuple[str, ...] = field(
        default=(),
        metadata={"flags": ("-H",), "metavar": "'NAME: VALUE'", "help": "add a request field"},
    )
    insecure: bool = field(
        default=False, metadata={"flags": ("-k",), "help": "accept any certificate"}
    )
    json: bool = field(default=False, metadata={"help": "print the result as JSON"})
    pure: bool = field(
        default=False, metadata={"help": "run although this package is not compiled"}
    )

    def __post_init__(self) -> None:
        for name, least in (("connections", 1), ("payload", 0), ("in_flight", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"--{name.replace('_', '-')} takes {least} or more")
        if self.rate < 0 or self.warm_up < 0:
            raise ValueError("--rate and --warm-up take 0 or more")
        if self.duration <= 0 or (self.count is not None and self.count < 1):
            raise ValueError("--duration and --count take more than 0")
        for line in self.header:
            if not line.partition(":")[1]:
                raise ValueError(f"a header is 'NAME: VALUE', not {line!r}")


def main(options: BenchOptions) -> int:
    """Run a load and print its result. 0: every echo came and was right, 1: otherwise."""
    if not _engine.is_compiled() and not options.pure:
        raise UpwireError(
            "this package is not compiled, so its load generator would be what is measured; "
            "install it where a C compiler is, or give --pure"
        )
    result = _run(options)
    if options.json:
        print(json.dumps(result.to_json()))
    else:
        print(report(options, result))
    return 0 if result.is_clean and result.messages else 1


def report(options: BenchOptions, result: Result) -> str:
    """Say in lines what was asked, how fast it went, and how long the echoes took."""
    kind = "text" if options.text else "binary"
    rate = f", {options.rate:g}/s wanted" if options.rate else ""
    lines = [
        f"{options.connections} connections, {options.payload} octets {kind}, "
        f"{options.in_flight} in flight{rate}, {result.seconds:.1f} s",
        f"{result.messages} echoes, {result.messages_per_s:.0f}/s, "
        f"{result.octets / max(result.seconds, 1e-9) / 1e6:.1f} MB/s back, "
        f"load generator {result.busy:.0%} busy",
        f"wrong {result.wrong}, lost connections {result.lost}, missing echoes {result.missing}",
        "",
        *_latency_lines(result),
    ]
    if not _engine.is_compiled():
        lines.append("not compiled: the load generator may be the slower side")
    elif parse_url(options.url).is_secure:
        lines.append("over TLS the load generator is Python's ssl module, and slower than plain")
    return "\n".join(lines)


def _run(options: BenchOptions) -> Result:
    """Open, warm up and measure; Ctrl-C ends the measuring, and what was found stands."""
    work = Work(
        url=options.url,
        connections=options.connections,
        payload_octets=options.payload,
        in_flight=options.in_flight,
        rate_per_s=options.rate,
        is_text=options.text,
        headers=tuple(_field(line) for line in options.header),
    )
    is_secure = parse_url(options.url).is_secure
    tls = client_context(is_verified=not options.insecure) if is_secure else None
    progress = Progress(sys.stderr, options.duration)
    with open_load(work, tls=tls) as load:
        with contextlib.suppress(KeyboardInterrupt):
            load.drive(options.warm_up)
            load.restart()
            load.drive(options.duration, messages=options.count, on_slice=progress.show)
        progress.clear()
        return load.finish()


class Progress:
    """One line on a terminal that is written over; nothing elsewhere."""

    def __init__(self, screen: TextIO, duration_s: float) -> None:
        self._screen = screen
        self._is_terminal = screen.isatty()
        self._duration_s = duration_s
        self._before = (0.0, 0)

    def show(self, load: Load) -> None:
        """Show the rate since the last call, and the latency since the start."""
        if not self._is_terminal:
            return
        result = load.result()
        seconds, messages = self._before
        self._before = (result.seconds, result.messages)
        rate = (result.messages - messages) / max(result.seconds - seconds, 1e-9)
        self._write(
            f"{result.seconds:5.1f} of {self._duration_s:g} s  {rate:10.0f} echoes/s  "
            f"p50 {_time(result.latency.percentile_ns(50))}  "
            f"p99 {_time(result.latency.percentile_ns(99))}"
            + (f"  wrong {result.wrong}, lost {result.lost}" if not result.is_clean else "")
        )

    def clear(self) -> None:
        """Take the line away."""
        if self._is_terminal:
            self._write("")

    def _write(self, line: str) -> None:
        self._screen.write(f"\r{line}\x1b[K")
        self._screen.flush()


def _latency_lines(result: Result) -> list[str]:
    latency = result.latency
    marks = [(f"p{percent:g}", latency.percentile_ns(percent)) for percent in PERCENTILES]
    marks += [("max", latency.highest_ns), ("mean", latency.mean_ns)]
    rows = latency.by_doubling()
    highest = max((count for _, _, count in rows), default=1)
    return ["latency  " + "  ".join(f"{name} {_time(value)}" for name, value in marks)] + [
        f"{_time(low):>9} {'#' * -(-count * BAR_CELLS // highest):<{BAR_CELLS}} {count}"
        for low, _, count in rows
    ]


def _time(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()

"""One measurement: a contender alone on the first core, everything else on the last."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import accounting, contender
from bench.benchmarks import Scenario
from bench.contender import Contender
from bench.handshakes import HandshakeFailed, count_handshakes
from upwire.errors import UpwireError
from upwire.load import Load, Work, open_load

WARM_UP_S = 0.5
FIRST_CONNECTIONS = 100
"""Opened before memory is looked at: what the first connections cost is paid once."""
CORES = sorted(os.sched_getaffinity(0))


class Void(Exception):
    """A measurement that counts for nothing: something came back wrong or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One contender in one round. value: in the benchmark's unit.

    cpu_us: processor time of the contender a message, or connection. memory_octets: its
    proportional set size under load. busy: the share of their core that the load generator, and
    behind a proxy the upstream, took: near 1 they are what was measured.
    """

    value: float
    cpu_us: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    memory_octets: int | None = None
    busy: float | None = None


Measure = Callable[[Contender, Scenario, float], Sample]


def echo(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Drive an echo server."""
    with _server(one, "echo", scenario) as (pid, port):
        return _drive(pid, port, scenario, seconds)


def tunnel(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Drive a proxy in front of the fastest upstream that we have."""
    with _upstream(scenario) as (upstream, backend), _proxy(one, backend) as (pid, port):
        return _drive(pid, port, scenario, seconds, upstream=upstream)


def idle(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Weigh the connections of a server."""
    with _server(one, "echo", scenario) as (pid, port):
        return _weigh(pid, port, scenario)


def idle_tunnel(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Weigh the tunnels of a proxy; the upstream is upwire's server."""
    upstream = contender.load("upwire")
    with (
        contender.running(upstream, "echo", core=CORES[-1], values={}) as (_, backend),
        _proxy(one, backend) as (pid, port),
    ):
        return _weigh(pid, port, scenario)


def handshakes(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Open and close connections, so many at a time."""
    with _server(one, "echo", scenario) as (pid, port):
        try:
            count_handshakes(port, scenario.connections, WARM_UP_S)
            before_s, busy_s, start_s = _clocks(pid)
            count = count_handshakes(port, scenario.connections, seconds)
        except (HandshakeFailed, UpwireError, OSError) as error:
            raise Void(str(error)) from error
        after_s, busy_after_s, end_s = _clocks(pid)
    if count == 0:
        raise Void("no connection got through")
    return Sample(
        value=count / (end_s - start_s),
        cpu_us=(after_s - before_s) / count * 1e6,
        busy=(busy_after_s - busy_s) / (end_s - start_s),
    )


def client(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Run a client on the first core; the server, the same for all, is on the last."""
    server = contender.load("picows")
    contender.prepare(server)
    with contender.running(server, "echo", core=CORES[-1], values={}) as (_, port):
        values = {
            "url": f"ws://127.0.0.1:{port}/",
            "payload": str(scenario.payload_octets),
            "seconds": str(seconds),
        }
        done = subprocess.run(
            contender.fill(one, one.roles["client"], values),
            preexec_fn=lambda: os.sched_setaffinity(0, {CORES[0]}),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise Void(done.stderr.strip()[-400:])
    return Sample(value=int(done.stdout) / seconds)


MEASURES: dict[str, Measure] = {
    "echo": echo,
    "tunnel": tunnel,
    "idle": idle,
    "idle_tunnel": idle_tunnel,
    "handshakes": handshakes,
    "client": client,
}


@contextlib.contextmanager
def _server(
    one: Contender, role: str, scenario: Scenario, core: int = CORES[0]
) -> Iterator[tuple[int, int]]:
    values = {
        "connections": str(scenario.connections),
        "payload": str(scenario.payload_octets),
    }
    with contender.running(one, role, core=core, values=values) as found:
        yield found


@contextlib.contextmanager
def _upstream(scenario: Scenario) -> Iterator[tuple[int, int]]:
    with _server(contender.load("floor"), "echo", scenario, CORES[-1]) as found:
        yield found


@contextlib.contextmanager
def _proxy(one: Contender, backend: int) -> Iterator[tuple[int, int]]:
    values = {"backend": f"127.0.0.1:{backend}"}
    with contender.running(one, "tunnel", core=CORES[0], values=values) as found:
        yield found


def _drive(
    pid: int, port: int, scenario: Scenario, seconds: float, *, upstream: int | None = None
) -> Sample:
    with _opened(port, scenario.connections, scenario) as load:
        load.drive(WARM_UP_S)
        load.restart()
        before_s = accounting.processor_s(pid)
        upstream_s = 0.0 if upstream is None else accounting.processor_s(upstream)
        load.drive(seconds)
        cpu_s = accounting.processor_s(pid) - before_s
        upstream_s = 0.0 if upstream is None else accounting.processor_s(upstream) - upstream_s
        memory_octets = accounting.memory_octets(pid)
        result = load.finish()
    if not result.is_clean or not result.messages:
        raise Void(
            f"{result.messages} echoes, wrong {result.wrong}, lost connections {result.lost}, "
            f"missing echoes {result.missing}"
        )
    return Sample(
        value=result.messages_per_s,
        cpu_us=cpu_s / result.messages * 1e6,
        p50_us=result.latency.percentile_ns(50) / 1000,
        p99_us=result.latency.percentile_ns(99) / 1000,
        memory_octets=memory_octets,
        busy=result.busy + upstream_s / result.seconds,
    )


def _weigh(pid: int, port: int, scenario: Scenario) -> Sample:
    """Return the octets that each further connection adds, once its echo came."""
    with _opened(port, FIRST_CONNECTIONS, scenario) as first:
        first.drive(WARM_UP_S, messages=FIRST_CONNECTIONS)
        before = accounting.memory_octets(pid)
        with _opened(port, scenario.connections, scenario) as more:
            more.drive(WARM_UP_S * 10, messages=scenario.connections)
            result = more.finish()
            after = accounting.memory_octets(pid)
    if not result.is_clean:
        raise Void(f"wrong {result.wrong}, lost connections {result.lost}")
    return Sample(value=(after - before) / scenario.connections, memory_octets=after)


@contextlib.contextmanager
def _opened(port: int, connections: int, scenario: Scenario) -> Iterator[Load]:
    work = Work(
        url=f"ws://127.0.0.1:{port}/",
        connections=connections,
        payload_octets=scenario.payload_octets,
        in_flight=scenario.in_flight,
    )
    try:
        with open_load(work) as load:
            yield load
    except UpwireError as error:
        raise Void(str(error)) from error


def _clocks(pid: int) -> tuple[float, float, float]:
    return accounting.processor_s(pid), time.process_time(), time.monotonic()

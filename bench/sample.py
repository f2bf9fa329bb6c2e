"""What one measurement found, and the ways to find it: driving, weighing, turning over."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from bench import accounting
from bench.benchmarks import Scenario
from upwire.errors import UpwireError
from upwire.load import Load, Result, Work, open_load
from upwire.load._handshakes import Connector

WARM_UP_S = 0.5
FIRST_CONNECTIONS = 100
"""Opened before memory is looked at: what the first connections cost is paid once."""


class Void(Exception):
    """A measurement that counts for nothing: something came back wrong or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One contender in one round. value: in the benchmark's unit.

    cpu_us: processor time of the contender a message, or connection. memory_octets: its
    proportional set size under load. busy: the share of their core that the load generator, and
    behind a proxy the upstream, took: near 1 they are what was measured. connection_octets: what
    a connection added to that memory; upstream_octets: what it added to the upstream's.
    """

    value: float
    cpu_us: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    memory_octets: int | None = None
    busy: float | None = None
    connection_octets: float | None = None
    upstream_octets: float | None = None


class Clocks:
    """Take the times of contender, load and upstream from now until stop().

    pid, upstream: processes, with those that they started.
    """

    def __init__(self, pid: int, upstream: int | None = None) -> None:
        self._pid = pid
        self._upstream = upstream
        self._contender_s, self._load_s, self._wall_s = self._read()

    def stop(self) -> None:
        contender_s, load_s, wall_s = self._read()
        self._contender_s = contender_s - self._contender_s
        self._load_s = load_s - self._load_s
        self._wall_s = wall_s - self._wall_s

    def sample(self, count: int, *, p50_ns: float, p99_ns: float, memory_octets: int) -> Sample:
        """Return the sample of so many messages or connections. Raises Void for none."""
        if not count:
            raise Void("nothing came back")
        return Sample(
            value=count / self._wall_s,
            cpu_us=self._contender_s / count * 1e6,
            p50_us=p50_ns / 1000,
            p99_us=p99_ns / 1000,
            memory_octets=memory_octets,
            busy=self._load_s / self._wall_s,
        )

    def _read(self) -> tuple[float, float, float]:
        upstream_s = 0.0 if self._upstream is None else accounting.processor_s(self._upstream)
        load_s = time.process_time() + upstream_s
        return accounting.processor_s(self._pid), load_s, time.monotonic()


def drive(
    pid: int,
    port: int,
    scenario: Scenario,
    seconds: float,
    *,
    upstream: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> Sample:
    """Send messages and check their echoes."""
    with opened(port, scenario, tls=tls) as load:
        warm_up(load)
        return finish(load, Clocks(pid, upstream), pid, seconds)


def warm_up(load: Load) -> None:
    """Drive a load before it counts; it must be as clean then."""
    load.drive(WARM_UP_S)
    _check(load.result())
    load.restart()


def finish(load: Load, clocks: Clocks, pid: int, seconds: float) -> Sample:
    """Drive a load for so long, and judge it."""
    load.drive(seconds)
    clocks.stop()
    memory_octets = accounting.memory_octets(pid)
    result = load.finish()
    _check(result)
    return clocks.sample(
        result.messages,
        p50_ns=result.latency.percentile_ns(50),
        p99_ns=result.latency.percentile_ns(99),
        memory_octets=memory_octets,
    )


def weigh(pid: int, port: int, scenario: Scenario) -> Sample:
    """Return the octets that each further connection adds, once its echo came."""
    with opened(port, Scenario(FIRST_CONNECTIONS)) as first:
        first.drive(WARM_UP_S, messages=FIRST_CONNECTIONS)
        before = accounting.memory_octets(pid)
        with opened(port, scenario) as more:
            more.drive(WARM_UP_S * 10, messages=scenario.connections)
            result = more.finish()
            after = accounting.memory_octets(pid)
    _check(result)
    return Sample(value=(after - before) / scenario.connections, memory_octets=after)


def turn_over(
    pid: int, port: int, scenario: Scenario, seconds: float, *, upstream: int | None = None
) -> Sample:
    """Open connections and close them, so many at a time, beside those that are held."""
    with opened(port, Scenario(scenario.held)), void_where_it_fails():
        connector = Connector(port, scenario.connections)
        with contextlib.closing(connector):
            connector.run(WARM_UP_S)
            connector.restart()
            clocks = Clocks(pid, upstream)
            connector.run(seconds)
            clocks.stop()
            return clocks.sample(
                connector.done,
                p50_ns=connector.latency.percentile_ns(50),
                p99_ns=connector.latency.percentile_ns(99),
                memory_octets=accounting.memory_octets(pid),
            )


@contextlib.contextmanager
def opened(port: int, scenario: Scenario, *, tls: ssl.SSLContext | None = None) -> Iterator[Load]:
    """Open the connections of a scenario."""
    work = Work(
        url=f"{'ws' if tls is None else 'wss'}://127.0.0.1:{port}/",
        connections=scenario.connections,
        payload_octets=scenario.payload_octets,
        in_flight=scenario.in_flight,
        rate_per_s=scenario.rate_per_s,
    )
    with void_where_it_fails(), open_load(work, tls=tls) as load:
        yield load


@contextlib.contextmanager
def void_where_it_fails() -> Iterator[None]:
    """Raise Void for a contender that answers wrong, breaks connections or is gone."""
    try:
        yield
    except (UpwireError, OSError, psutil.Error) as error:
        raise Void(str(error)) from error


def _check(result: Result) -> None:
    if not result.is_clean:
        raise Void(
            f"{result.messages} echoes, wrong {result.wrong}, lost connections {result.lost}, "
            f"missing echoes {result.missing}"
        )

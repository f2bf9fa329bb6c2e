"""How each benchmark is measured: a contender on the first core, everything else on the last."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator

from bench import accounting, certificate, contender, wrk
from bench.benchmarks import Scenario
from bench.contender import Contender
from bench.deflating import Compressed
from bench.fan_out import FanOut
from bench.http_proxy import proxied_get
from bench.sample import (
    FIRST_CONNECTIONS,
    WARM_UP_S,
    Clocks,
    Sample,
    Void,
    drive,
    finish,
    opened,
    turn_over,
    void_where_it_fails,
    warm_up,
    weigh,
)
from upwire.net.tls import client_context

CORES = sorted(os.sched_getaffinity(0))
HELLO = b"Hello, world!"
LEAST_TUNNELS = 4096
"""How many a proxy is told to allow; more where the scenario has more."""

Measure = Callable[[Contender, Scenario, float], Sample]


def echo(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Drive an echo server."""
    with _server(one, "echo", scenario) as (pid, port):
        return drive(pid, port, scenario, seconds)


def hello(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Get the greeting of contenders/asgi_hello.py."""
    with _server(one, "hello", scenario) as (pid, port):
        return wrk.get(f"http://127.0.0.1:{port}/", HELLO, scenario, seconds, pid=pid)


def deflate(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Drive an echo server that compresses."""
    with _server(one, "deflate", scenario) as (pid, port), void_where_it_fails():
        load = Compressed(port, scenario.connections, scenario.payload_octets)
        with contextlib.closing(load):
            return _tallied(load, pid, seconds)


def rooms(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Publish to a room; the times are those of the last member."""
    with _server(one, "rooms", scenario) as (pid, port), void_where_it_fails():
        load = FanOut(port, scenario.connections, scenario.payload_octets)
        with contextlib.closing(load):
            time.sleep(WARM_UP_S)  # until the last has joined
            return _tallied(load, pid, seconds)


def tunnel(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Drive a proxy in front of the fastest upstream that we have."""
    with _upstream(scenario) as (upstream, backend), _proxy(one, scenario, backend) as (pid, port):
        return drive(pid, port, scenario, seconds, upstream=upstream)


def tunnel_tls(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Drive a proxy that ends TLS, in front of the same upstream without it."""
    tls = client_context(is_verified=False)
    with (
        _upstream(scenario) as (upstream, backend),
        _proxy(one, scenario, backend, "tls") as (pid, port),
    ):
        return drive(pid, port, scenario, seconds, upstream=upstream, tls=tls)


def idle(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Weigh the connections of a server."""
    with _server(one, "echo", scenario) as (pid, port):
        return weigh(pid, port, scenario)


def idle_tunnel(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Weigh the tunnels of a proxy; the upstream is upwire's server."""
    with (
        _echo_server("upwire", CORES[-1]) as (_, backend),
        _proxy(one, scenario, backend) as (pid, port),
    ):
        return weigh(pid, port, scenario)


def handshakes(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Open and close connections to a server."""
    role = "handshakes" if "handshakes" in one.roles else "echo"
    with _server(one, role, scenario) as (pid, port):
        return turn_over(pid, port, scenario, seconds)


def tunnel_handshakes(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Open and close tunnels of a proxy."""
    floor = contender.load("floor")
    with (
        _server(floor, "handshakes", scenario, CORES[-1]) as (upstream, backend),
        _proxy(one, scenario, backend) as (pid, port),
    ):
        return turn_over(pid, port, scenario, seconds, upstream=upstream)


def client(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Run a client on the first core; the server, the same for all, is on the last.

    A client prints its processor time in seconds and the times of its echoes in nanoseconds.
    """
    with _echo_server("picows", CORES[-1]) as (_, port):
        values = {
            "url": f"ws://127.0.0.1:{port}/",
            "payload": str(scenario.payload_octets),
            "seconds": str(seconds),
        }
        done = subprocess.run(
            contender.fill(one, one.roles["client"], values),
            env=contender.environment(one, one.roles["client"]),
            preexec_fn=lambda: os.sched_setaffinity(0, {CORES[0]}),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise Void(done.stderr.strip()[-400:])
    cpu_s, times_ns = json.loads(done.stdout)
    trips_ns = sorted(after - before for before, after in itertools.pairwise(times_ns))
    return Sample(
        value=len(trips_ns) / (times_ns[-1] - times_ns[0]) * 1e9,
        cpu_us=cpu_s / len(trips_ns) * 1e6,
        p50_us=trips_ns[len(trips_ns) // 2] / 1000,
        p99_us=trips_ns[len(trips_ns) * 99 // 100] / 1000,
    )


def many(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Hold very many connections and send few messages over them, five times as long.

    A proxy has upwire's server behind it. That one shares the contender's core, so that the last
    is the load generator's alone: it spins to be on time.
    """
    with contextlib.ExitStack() as stack:
        upstream: int | None = None
        if "many" in one.roles:
            upstream, backend = stack.enter_context(_echo_server("upwire", CORES[0]))
            pid, port = stack.enter_context(_proxy(one, scenario, backend, "many"))
        else:
            pid, port = stack.enter_context(_server(one, "echo", scenario))
        stack.enter_context(opened(port, Scenario(FIRST_CONNECTIONS)))
        before = _memories(pid, upstream)
        load = stack.enter_context(opened(port, scenario))
        warm_up(load)
        sample = finish(load, Clocks(pid), pid, 5 * seconds)
        after = _memories(pid, upstream)
    own, behind = (
        (last - first) / scenario.connections for first, last in zip(before, after, strict=True)
    )
    return dataclasses.replace(
        sample, connection_octets=own, upstream_octets=None if upstream is None else behind
    )


MEASURES: dict[str, Measure] = {
    "echo": echo,
    "hello": hello,
    "deflate": deflate,
    "rooms": rooms,
    "tunnel": tunnel,
    "tunnel_tls": tunnel_tls,
    "idle": idle,
    "idle_tunnel": idle_tunnel,
    "handshakes": handshakes,
    "tunnel_handshakes": tunnel_handshakes,
    "client": client,
    "many": many,
    "http": proxied_get,
}


def _memories(pid: int, upstream: int | None) -> tuple[int, int]:
    return (
        accounting.memory_octets(pid),
        0 if upstream is None else accounting.memory_octets(upstream),
    )


def _tallied(load: Compressed | FanOut, pid: int, seconds: float) -> Sample:
    """Run a load that is written in Python, first to warm up."""
    load.run(WARM_UP_S)
    load.restart()
    clocks = Clocks(pid)
    load.run(seconds)
    clocks.stop()
    return clocks.sample(
        load.messages,
        p50_ns=load.latency.percentile_ns(50),
        p99_ns=load.latency.percentile_ns(99),
        memory_octets=accounting.memory_octets(pid),
    )


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
def _echo_server(name: str, core: int) -> Iterator[tuple[int, int]]:
    """Run a contender as the other end of those that are measured."""
    with contender.running(_prepared(name), "echo", core=core, values={}) as found:
        yield found


@functools.cache
def _prepared(name: str) -> Contender:
    one = contender.load(name)
    contender.prepare(one)
    return one


@contextlib.contextmanager
def _proxy(
    one: Contender, scenario: Scenario, backend: int, role: str = "tunnel"
) -> Iterator[tuple[int, int]]:
    tunnels = scenario.connections + scenario.held + 2 * FIRST_CONNECTIONS
    tunnels = max(tunnels, LEAST_TUNNELS)
    values = {
        "backend": f"127.0.0.1:{backend}",
        "tunnels": str(tunnels),
        "descriptors": str(3 * tunnels),  # with few left nginx would reset who waits
    }
    if role == "tls":
        values |= certificate.files()
    with contender.running(one, role, core=CORES[0], values=values) as found:
        yield found

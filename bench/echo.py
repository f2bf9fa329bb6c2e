"""Echo servers side by side: ours, websockets' and picows', under the same load in the same run.

`make bench`. Each server runs alone on the first core, the load on the last; the rounds take turns.
The figure is the processor time that a server spends on a message, user and system, as a ratio to
ours: the load generator is Python too, and a rate near its own limit would hide differences.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import psutil

from upwire.wire import _codec

WARM_UP_S = 0.3
READ_OCTETS = 65536
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Load:
    connections: int
    payload_octets: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """messages_per_s: echoes that came back. cpu_us: of the server, a message."""

    messages_per_s: float
    cpu_us: float


def serve_upwire(report: Connection) -> None:
    import upwire

    async def echo(ws: upwire.WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def main() -> None:
        async with upwire.serve(echo, "127.0.0.1", 0) as server:
            report.send(server.port)
            await server.wait_closed()

    asyncio.run(main())


def serve_websockets(report: Connection) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(ws: ServerConnection) -> None:
        async for message in ws:
            await ws.send(message)

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            report.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(main())


def serve_picows(report: Connection) -> None:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

    class Echo(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            else:
                transport.send(frame.msg_type, frame.get_payload_as_bytes())

    async def main() -> None:
        server = await ws_create_server(lambda _: Echo(), "127.0.0.1", 0)
        report.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


CONTENDERS: dict[str, Callable[[Connection], None]] = {
    "upwire": serve_upwire,
    "websockets": serve_websockets,
    "picows": serve_picows,
}


def measure(serve: Callable[[Connection], None], load: Load) -> Result:
    """Start a server on the first core, load it from this process, end it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        assert process.pid is not None
        cores = range(os.cpu_count() or 1)
        os.sched_setaffinity(process.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
        if not ours.poll(30):
            raise SystemExit(f"{serve.__name__} did not start")
        return drive(ours.recv(), psutil.Process(process.pid), load)
    finally:
        process.terminate()
        process.join()


def drive(port: int, server: psutil.Process, load: Load) -> Result:
    """Keep one message in flight on each connection."""
    frame = _codec.build_frame(2, bytes(load.payload_octets), mask_key=b"\x01\x02\x03\x04")
    echo_octets = len(frame) - 4  # a server does not mask
    poll = select.epoll()
    sockets = {}
    for connection in (_open(port) for _ in range(load.connections)):
        sockets[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
        connection.sendall(frame)
    _echo(poll, sockets, frame, echo_octets, WARM_UP_S)
    cpu_s, start_s = _cpu_s(server), time.perf_counter()
    count = _echo(poll, sockets, frame, echo_octets, load.seconds)
    cpu_s, elapsed_s = _cpu_s(server) - cpu_s, time.perf_counter() - start_s
    for connection in sockets.values():
        connection.close()
    poll.close()
    return Result(count / elapsed_s, cpu_s / count * 1e6)


def _open(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return connection


def _echo(
    poll: select.epoll,
    sockets: dict[int, socket.socket],
    frame: bytes,
    echo_octets: int,
    seconds: float,
) -> int:
    """Answer each whole echo with the next message, for so long; return how many came."""
    missing = dict.fromkeys(sockets, echo_octets)
    count = 0
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        for descriptor, _ in poll.poll(1):
            connection = sockets[descriptor]
            missing[descriptor] -= len(connection.recv(READ_OCTETS))
            if missing[descriptor] <= 0:
                missing[descriptor] += echo_octets
                count += 1
                connection.sendall(frame)
    return count


def _cpu_s(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--octets", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not _codec.is_compiled():
        print("this package is not compiled: its figures would mean nothing", file=sys.stderr)
        return 2
    load = Load(options.connections, options.octets, options.seconds)
    results: dict[str, list[Result]] = {name: [] for name in CONTENDERS}
    for _ in range(options.rounds):
        for name, serve in CONTENDERS.items():
            results[name].append(measure(serve, load))
    _show(load, results)
    return 0


def _show(load: Load, results: dict[str, list[Result]]) -> None:
    print(f"{load.connections} connections, {load.payload_octets} octets, {os.cpu_count()} cores")
    own = [result.cpu_us for result in results["upwire"]]
    for name, rounds in results.items():
        rate = statistics.median(result.messages_per_s for result in rounds)
        cpu_us = statistics.median(result.cpu_us for result in rounds)
        ratio = statistics.median(r.cpu_us / o for r, o in zip(rounds, own, strict=True))
        print(f"{name:<12}{rate:>10.0f} messages/s{cpu_us:>8.1f} us each{ratio:>7.2f} of ours")


if __name__ == "__main__":
    sys.exit(main())

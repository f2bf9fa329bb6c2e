"""What the proxy counts, for `--status`, `stub_status` and the demo's dashboard."""

from __future__ import annotations

import asyncio
import json
import mmap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from upwire.errors import LocalProtocolError
from upwire.net.http1 import HttpConnection, HttpExchange
from upwire.net.listener import Listener
from upwire.net.stream import Address, Stream
from upwire.version import __version__
from upwire.wire.frames import CloseCode

_ROWS = 1024  # nginx's limit of processes
_ENDED_TUNNELS = range(8, 12)
_LIVE_TUNNELS = range(12, 16)
_OPEN = {2, 4, 6, 7, *_LIVE_TUNNELS}  # what is now, as against what was since the start
_STATUSES_AT = 16
_STATUSES = 1000
_COLUMNS = _STATUSES_AT + _STATUSES
_CELL_OCTETS = 8
_USED_AT = _ROWS * _COLUMNS  # behind the rows: how many of them are in use


class LiveTunnel(Protocol):
    """A tunnel that is open: what went through it so far."""

    def totals(self) -> tuple[int, int, int, int]:
        """Return messages and octets from the client, messages and octets to the client."""

    def close(self, code: CloseCode) -> None:
        """End with a Close to both sides, and wait for theirs a while."""

    def abort(self) -> None:
        """End at once."""


class _Cell:
    """An attribute of `Counters`: this process's own number in the shared memory."""

    __slots__ = ("column",)

    def __init__(self, column: int) -> None:
        self.column = column

    def __get__(self, counters: Counters, _: type[Counters]) -> int:
        return counters.row[self.column]

    def __set__(self, counters: Counters, number: int) -> None:
        counters.row[self.column] = number


@dataclass(frozen=True, slots=True)
class Totals:
    """What all processes have counted together."""

    tunnelled: tuple[int, ...]  # messages and octets from clients, messages and octets to clients
    accepted: int
    handled: int
    active: int
    requests: int
    in_flight: int
    tunnels_total: int
    tunnels_now: int
    waiting: int

    @property
    def reading(self) -> int:
        """How many connections are there of which a request's head is being read."""
        return max(self.active - self.in_flight - self.waiting, 0)


class Counters:
    """The numbers since the start; they outlive a reload, and are those of all workers.

    Each process writes a row of its own, so that none waits for another; the attributes are this
    process's part, `totals()` the sum. Row 0 is the first process's, and keeps what workers that
    have ended had counted.
    """

    accepted = _Cell(0)
    handled = _Cell(1)
    active = _Cell(2)
    requests = _Cell(3)
    in_flight = _Cell(4)
    tunnels_total = _Cell(5)
    tunnels_now = _Cell(6)
    waiting = _Cell(7)

    def __init__(self) -> None:
        self.count_waiting: Callable[[], int] = int
        """Counts this process's connections of which no request is there; its worker sets it."""
        self.started_s = time.time()
        self.tunnels_open: set[LiveTunnel] = set()
        self._last_tunnel: asyncio.Event | None = None  # somebody waits for the end of the last
        octets = (_ROWS + 1) * _COLUMNS * _CELL_OCTETS
        self._cells = memoryview(mmap.mmap(-1, octets)).cast("q")
        self._free_rows: list[int] = []
        self._cells[_USED_AT] = 1
        self.claim(0)

    def reserve(self) -> int:
        """Return a row for a worker to be; raises LocalProtocolError where none is left."""
        if self._free_rows:
            return self._free_rows.pop()
        row = self._cells[_USED_AT]
        if row == _ROWS:
            raise LocalProtocolError(f"no more than {_ROWS - 1} processes can be spawned")
        self._cells[_USED_AT] = row + 1  # in the shared memory: older workers read it too
        return row

    def claim(self, row: int) -> None:
        """Count in that row from now on."""
        self.row = self._cells[row * _COLUMNS : (row + 1) * _COLUMNS]
        self.statuses = self.row[_STATUSES_AT:]

    def release(self, row: int) -> None:
        """Keep what a worker had counted that has ended, but for what was open in it."""
        start = row * _COLUMNS
        for column in range(_COLUMNS):
            if column not in _OPEN:
                self._cells[column] += self._cells[start + column]
            self._cells[start + column] = 0
        self._free_rows.append(row)

    def tunnel_began(self, tunnel: LiveTunnel) -> None:
        """Count a tunnel that was just opened."""
        self.tunnels_total += 1
        self.tunnels_now += 1
        self.tunnels_open.add(tunnel)

    def tunnel_ended(self, tunnel: LiveTunnel) -> None:
        """Keep the totals of a tunnel that has ended."""
        self.tunnels_open.discard(tunnel)
        self.tunnels_now -= 1
        if not self.tunnels_open and self._last_tunnel is not None:
            self._last_tunnel.set()
        for column, total in zip(_ENDED_TUNNELS, tunnel.totals(), strict=True):
            self.row[column] += total

    async def wait_tunnels(self) -> None:
        """Wait until no tunnel is open in this process."""
        while self.tunnels_open:
            self._last_tunnel = asyncio.Event()
            await self._last_tunnel.wait()

    def publish(self) -> None:
        """Let the other processes know what is counted only when somebody asks."""
        self.waiting = self.count_waiting()
        totals = [0, 0, 0, 0]
        for tunnel in self.tunnels_open:
            for index, total in enumerate(tunnel.totals()):
                totals[index] += total
        for column, total in zip(_LIVE_TUNNELS, totals, strict=True):
            self.row[column] = total

    def totals(self) -> Totals:
        """Return the numbers of all processes; some of the others' are as old as a tick."""
        self.publish()
        numbers = [self._sum(column) for column in range(_STATUSES_AT)]
        ended = numbers[_ENDED_TUNNELS.start : _ENDED_TUNNELS.stop]
        live = numbers[_LIVE_TUNNELS.start : _LIVE_TUNNELS.stop]
        tunnelled = tuple(one + other for one, other in zip(ended, live, strict=True))
        return Totals(tunnelled, *numbers[: _ENDED_TUNNELS.start])

    def status_totals(self) -> dict[int, int]:
        """Return how many responses of each status there were."""
        sums = {code: self._sum(_STATUSES_AT + code) for code in range(_STATUSES)}
        return {code: number for code, number in sums.items() if number}

    def _sum(self, column: int) -> int:
        return sum(self._cells[column : self._cells[_USED_AT] * _COLUMNS : _COLUMNS])


def to_json(counters: Counters) -> bytes:
    """Return the numbers as one JSON object; times in seconds."""
    totals = counters.totals()
    from_clients, from_octets, to_clients, to_octets = totals.tunnelled
    status = {
        "version": __version__,
        "uptime_s": round(time.time() - counters.started_s, 3),
        "connections": {
            "active": totals.active,
            "accepted": totals.accepted,
            "handled": totals.handled,
        },
        "requests": {
            "total": totals.requests,
            "by_status": {str(code): count for code, count in counters.status_totals().items()},
        },
        "tunnels": {
            "open": totals.tunnels_now,
            "total": totals.tunnels_total,
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

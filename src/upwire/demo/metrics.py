"""What the machine and the proxy do at this moment: psutil, and the proxy's own status."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from upwire.demo.rate import Meter

STATUS_TIMEOUT_S = 0.5
_SOCKSTAT = (Path("/proc/net/sockstat"), Path("/proc/net/sockstat6"))


@dataclass(frozen=True, slots=True)
class MachineSample:
    """The whole machine. tcp_sockets: those in use, listening ones included; None if unknown."""

    cpu_percent: float
    memory_used_octets: int
    memory_total_octets: int
    tcp_sockets: int | None
    packets_in_per_s: float
    packets_out_per_s: float


@dataclass(frozen=True, slots=True)
class ProxySample:
    """The proxy; None where it cannot be known, and note says why.

    cpu_percent: of one core. messages_in: from browsers; messages_out: to them.
    """

    note: str = ""
    cpu_percent: float | None = None
    memory_octets: int | None = None
    connections: int | None = None
    tunnels: int | None = None
    messages_in_per_s: float | None = None
    messages_out_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """Both at one time of day, in milliseconds since 1970."""

    at_ms: int
    machine: MachineSample
    proxy: ProxySample


class MachineGauge:
    """Reads the machine; rates and percentages are since the last reading."""

    def __init__(self) -> None:
        self._packets_in, self._packets_out = Meter(), Meter()
        self._cpu_s = _cpu_seconds()

    def read(self, now_s: float) -> MachineSample:
        memory = psutil.virtual_memory()
        network = psutil.net_io_counters()
        return MachineSample(
            cpu_percent=self._cpu_percent(),
            memory_used_octets=memory.total - memory.available,
            memory_total_octets=memory.total,
            tcp_sockets=count_tcp_sockets(),
            packets_in_per_s=self._packets_in.per_s(network.packets_recv, now_s),
            packets_out_per_s=self._packets_out.per_s(network.packets_sent, now_s),
        )

    def _cpu_percent(self) -> float:
        """psutil's own percentage is kept per thread, and ours are taken in any thread."""
        before, self._cpu_s = self._cpu_s, _cpu_seconds()
        busy_s, all_s = (now - then for now, then in zip(self._cpu_s, before, strict=True))
        if all_s <= 0:
            return 0.0
        # The time that waits for I/O can go back (proc_stat(5)), and sums of floats are not exact.
        return min(100.0, max(0.0, 100 * busy_s / all_s))


@dataclass(slots=True)
class ProcessReading:
    """What some processes take together. cpu_percent: of a core, since the last reading."""

    cpu_percent: float = 0.0
    memory_octets: int = 0
    connections: int = 0

    def add(self, process: psutil.Process) -> None:
        """Add a process, or raise psutil.Error and add nothing."""
        memory_octets = process.memory_info().rss
        sockets = process.net_connections("tcp")
        self.cpu_percent += process.cpu_percent()
        self.memory_octets += memory_octets
        self.connections += sum(socket.status == psutil.CONN_ESTABLISHED for socket in sockets)


class ProcessGauge:
    """Reads a process and those that it started, as a master and its workers."""

    def __init__(self, pid: int) -> None:
        self._known = {pid: psutil.Process(pid)}
        self._pid = pid

    def read(self) -> ProcessReading:
        """Read all of them. Raises psutil.Error when the first is gone."""
        first = self._known[self._pid]
        reading = ProcessReading()
        reading.add(first)
        present = {self._pid: first}
        for child in first.children(recursive=True):
            # psutil compares with what it kept in the object that it was asked through before.
            process = self._known.get(child.pid, child)
            with contextlib.suppress(psutil.NoSuchProcess):
                reading.add(process)
                present[child.pid] = process
        self._known = present
        return reading


class StatusGauge:
    """Asks `upwire proxy --status` for its counters."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._messages_in, self._messages_out = Meter(), Meter()

    def read(self, now_s: float) -> dict[str, float]:
        """Return the fields of ProxySample that the proxy itself knows.

        Raises OSError or http.client.HTTPException if the proxy does not answer,
        KeyError or ValueError if its answer is another than we know.
        """
        status = self._ask()
        tunnels = status["tunnels"]
        messages_in = tunnels["from_clients"]["messages"]
        messages_out = tunnels["to_clients"]["messages"]
        return {
            "connections": status["connections"]["active"],
            "tunnels": tunnels["open"],
            "messages_in_per_s": self._messages_in.per_s(messages_in, now_s),
            "messages_out_per_s": self._messages_out.per_s(messages_out, now_s),
        }

    # Any: JSON.
    def _ask(self) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=STATUS_TIMEOUT_S)
        try:
            connection.request("GET", "/")
            status: dict[str, Any] = json.loads(connection.getresponse().read())
            return status
        finally:
            connection.close()


class Sampler:
    """Takes whole samples; made to be called in a thread, one call at a time.

    proxy_pid: the proxy's first process. status_address: where `upwire proxy` tells its
    status, as "127.0.0.1:8001"; nginx has no such thing.
    """

    def __init__(
        self,
        *,
        proxy_pid: int | None = None,
        status_address: str | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proxy_pid = proxy_pid
        self._status = StatusGauge(status_address) if status_address else None
        self._process: ProcessGauge | None = None
        self._machine = MachineGauge()
        self._now_s = now_s
        self._lock = threading.Lock()

    def sample(self) -> Sample:
        """Measure now. Waits at most STATUS_TIMEOUT_S for the proxy's status."""
        with self._lock:
            now_s = self._now_s()
            return Sample(
                at_ms=round(time.time() * 1000),
                machine=self._machine.read(now_s),
                proxy=self._read_proxy(now_s),
            )

    def _read_proxy(self, now_s: float) -> ProxySample:
        # Any: the fields of ProxySample, from two readings.
        known: dict[str, Any] = {}
        notes: list[str] = []
        if self._proxy_pid is None:
            notes.append("its process is not known")
        else:
            try:
                known |= self._read_process(self._proxy_pid)
            except psutil.Error:
                notes.append("its process cannot be read")
        if self._status is None:
            notes.append("it does not count messages")
        else:
            try:
                known |= self._status.read(now_s)
            except (OSError, http.client.HTTPException, KeyError, TypeError, ValueError):
                notes.append("its status does not answer")
        return ProxySample(note=", ".join(notes), **known)

    def _read_process(self, pid: int) -> dict[str, float]:
        self._process = self._process or ProcessGauge(pid)
        return asdict(self._process.read())


def count_tcp_sockets(files: tuple[Path, ...] = _SOCKSTAT) -> int | None:
    """Return how many TCP sockets are in use; None where the system has no such file.

    psutil would walk every process's descriptors for it, which takes a core at 4 Hz.
    """
    count = None
    for file in files:
        try:
            text = file.read_text()
        except OSError:
            continue
        for line in text.splitlines():
            words = line.split()
            if words[:2] in (["TCP:", "inuse"], ["TCP6:", "inuse"]):
                count = (count or 0) + int(words[2])
    return count


def _cpu_seconds() -> tuple[float, float]:
    """Return the seconds that the CPUs were busy, and all their seconds, since the start."""
    times = psutil.cpu_times()._asdict()
    # Linux counts the time of guests a second time, in user and nice.
    all_s = sum(times.values()) - times.get("guest", 0) - times.get("guest_nice", 0)
    return all_s - times["idle"] - times.get("iowait", 0), all_s

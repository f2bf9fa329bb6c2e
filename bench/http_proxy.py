"""Plain HTTP through a proxy: GET with connections that persist on both sides, driven by wrk.

nginx serves the files behind the proxy. wrk compares no contents, so one answer is compared
before it starts, and it counts octets: an answer of another length makes the scenario void.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

from bench import accounting, contender
from bench.benchmarks import Scenario
from bench.contender import BUILD, Contender, Unavailable
from bench.sample import WARM_UP_S, Clocks, Sample, Void

CORES = sorted(os.sched_getaffinity(0))
FOLDER = BUILD / "files"
NAME = "file"

_REQUESTS = re.compile(r"(\d+) requests in [^,]+, ([\d.]+)([KMG]?)B read")
_PERCENTILE = re.compile(r"^\s*(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_FAULT = re.compile(r"Socket errors: .*|Non-2xx or 3xx responses: .*")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_NANOSECONDS = {"us": 1e3, "ms": 1e6, "s": 1e9}
_ROUNDING = 0.01  # wrk writes octets with two decimals


def proxied_get(one: Contender, scenario: Scenario, seconds: float) -> Sample:
    """Get one file over and over; payload_octets is its size."""
    content = _write_file(scenario.payload_octets)
    files = contender.load("nginx")
    contender.prepare(files)
    with contender.running(files, "files", core=CORES[-1], values={"root": str(FOLDER)}) as (
        upstream,
        backend,
    ):
        values = {"backend": f"127.0.0.1:{backend}"}
        with contender.running(one, "http", core=CORES[0], values=values) as (pid, port):
            url = f"http://127.0.0.1:{port}/{NAME}"
            with urllib.request.urlopen(url) as answer:
                if answer.read() != content:
                    raise Void("the proxy changed the content")
            _drive(url, scenario, WARM_UP_S)
            clocks = Clocks(pid, upstream)
            count, p50_ns, p99_ns = _drive(url, scenario, seconds)
            clocks.stop()
            return clocks.sample(
                count, p50_ns=p50_ns, p99_ns=p99_ns, memory_octets=accounting.memory_octets(pid)
            )


def read_report(report: str, size_octets: int) -> tuple[int, float, float]:
    """Return requests, and the 50th and 99th percentile in ns, of what wrk wrote.

    Raises Void where an answer failed, or they were too small for their content.
    """
    fault, found = _FAULT.search(report), _REQUESTS.search(report)
    if fault or not found:
        raise Void(fault.group() if fault else f"wrk wrote {report[-200:]!r}")
    count, octets = int(found[1]), float(found[2]) * _UNITS[found[3]]
    if octets * (1 + _ROUNDING) < count * size_octets:
        raise Void(f"{count} answers have {octets:.0f} octets")
    times = {share: float(n) * _NANOSECONDS[unit] for share, n, unit in _PERCENTILE.findall(report)}
    return count, times["50"], times["99"]


def _drive(url: str, scenario: Scenario, seconds: float) -> tuple[int, float, float]:
    program = shutil.which("wrk")
    if program is None:
        raise Unavailable("wrk is not here (Debian's wrk)")
    whole_s = max(round(seconds), 1)
    command = [program, "-t1", f"-c{scenario.connections}", f"-d{whole_s}s", "--latency", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return read_report(done.stdout + done.stderr, scenario.payload_octets)


def _write_file(size_octets: int) -> bytes:
    content = bytes(range(33, 127)) * (size_octets // 94 + 1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    Path(FOLDER, NAME).write_bytes(content[:size_octets])
    return content[:size_octets]

"""Plain HTTP by wrk: GET of one URL over connections that persist.

wrk compares no contents, so one answer is compared before it starts, and it counts octets: an
answer of another length makes the scenario void.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request

from bench import accounting
from bench.benchmarks import Scenario
from bench.contender import Unavailable
from bench.sample import WARM_UP_S, Clocks, Sample, Void

_REQUESTS = re.compile(r"(\d+) requests in [^,]+, ([\d.]+)([KMG]?)B read")
_PERCENTILE = re.compile(r"^\s*(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_FAULT = re.compile(r"Socket errors: .*|Non-2xx or 3xx responses: .*")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_NANOSECONDS = {"us": 1e3, "ms": 1e6, "s": 1e9}
_ROUNDING = 0.01  # wrk writes octets with two decimals


def get(
    url: str,
    content: bytes,
    scenario: Scenario,
    seconds: float,
    *,
    pid: int,
    upstream: int | None = None,
) -> Sample:
    """Get a URL over and over; pid: of the contender. Raises Void for other content."""
    with urllib.request.urlopen(url) as answer:
        if answer.read() != content:
            raise Void("the answer has other content")
    _drive(url, scenario, WARM_UP_S, len(content))
    clocks = Clocks(pid, upstream)
    count, p50_ns, p99_ns = _drive(url, scenario, seconds, len(content))
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


def _drive(
    url: str, scenario: Scenario, seconds: float, size_octets: int
) -> tuple[int, float, float]:
    program = shutil.which("wrk")
    if program is None:
        raise Unavailable("wrk is not here (Debian's wrk)")
    whole_s = max(round(seconds), 1)
    command = [program, "-t1", f"-c{scenario.connections}", f"-d{whole_s}s", "--latency", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return read_report(done.stdout + done.stderr, size_octets)

"""Plain HTTP through a proxy: GET with connections that persist on both sides.

nginx serves the file behind the proxy.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench import contender, wrk
from bench.benchmarks import Scenario
from bench.contender import BUILD, Contender
from bench.sample import Sample

CORES = sorted(os.sched_getaffinity(0))
FOLDER = BUILD / "files"
NAME = "file"


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
            return wrk.get(url, content, scenario, seconds, pid=pid, upstream=upstream)


def _write_file(size_octets: int) -> bytes:
    content = bytes(range(33, 127)) * (size_octets // 94 + 1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    Path(FOLDER, NAME).write_bytes(content[:size_octets])
    return content[:size_octets]

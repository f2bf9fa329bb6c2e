from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from upwire.demo import metrics
from upwire.demo.metrics import (
    MachineGauge,
    ProcessGauge,
    Sampler,
    StatusGauge,
    count_tcp_sockets,
)

STATUS = {
    "connections": {"active": 7},
    "tunnels": {"open": 3, "from_clients": {"messages": 10}, "to_clients": {"messages": 100}},
}


@contextlib.contextmanager
def status_server(answers: list[bytes]) -> Iterator[str]:
    """Answer one request with each content; give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.pop(0)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_the_machine_is_read_within_its_bounds() -> None:
    gauge = MachineGauge()

    sample = gauge.read(1.0)
    again = gauge.read(2.0)

    assert 0 <= sample.cpu_percent <= 100
    assert 0 < sample.memory_used_octets < sample.memory_total_octets
    assert sample.packets_in_per_s == 0.0
    assert again.packets_out_per_s >= 0.0


def test_cpu_time_that_stands_is_no_division_by_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_cpu_seconds", lambda: (1.0, 2.0))

    assert MachineGauge().read(1.0).cpu_percent == 0.0


@pytest.mark.parametrize(("busy_s", "percent"), [(0.9, 0.0), (1.5, 50.0), (2.5, 100.0)])
def test_cpu_time_that_goes_back_stays_within_the_bounds(
    busy_s: float, percent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([(1.0, 2.0), (busy_s, 3.0)])
    monkeypatch.setattr(metrics, "_cpu_seconds", lambda: next(readings))

    assert MachineGauge().read(1.0).cpu_percent == percent


def test_sockets_are_counted_of_both_families(tmp_path: Path) -> None:
    (tmp_path / "four").write_text("sockets: used 9\nTCP: inuse 5 orphan 0\nUDP: inuse 2\n")
    (tmp_path / "six").write_text("TCP6: inuse 3\n")

    assert count_tcp_sockets((tmp_path / "four", tmp_path / "six")) == 8
    assert count_tcp_sockets((tmp_path / "four", tmp_path / "none")) == 5
    assert count_tcp_sockets((tmp_path / "none",)) is None


def test_a_process_is_read_with_its_children() -> None:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it runs
        reading = ProcessGauge(os.getpid()).read()
        both = sum(psutil.Process(pid).memory_info().rss for pid in (os.getpid(), child.pid))
        child.communicate(b"\n")

    assert reading.cpu_percent == 0.0  # nothing to compare with yet
    assert reading.memory_octets == pytest.approx(both, rel=0.05)


def test_open_connections_of_a_process_are_counted() -> None:
    gauge = ProcessGauge(os.getpid())
    before = gauge.read().connections
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0],
    ):
        assert gauge.read().connections == before + 2


def test_a_child_that_ends_while_it_is_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(psutil.Process):
        def memory_info(self) -> Any:
            raise psutil.NoSuchProcess(self.pid)

    gauge = ProcessGauge(os.getpid())
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [Ended(os.getppid())])

    assert gauge.read().memory_octets > 0


def test_the_status_gives_counts_and_rates() -> None:
    later = json.loads(json.dumps(STATUS))
    later["tunnels"]["to_clients"]["messages"] = 160
    answers = [json.dumps(status).encode() for status in (STATUS, later)]
    with status_server(answers) as address:
        gauge = StatusGauge(address)
        gauge.read(1.0)
        known = gauge.read(3.0)

    assert known == {
        "connections": 7,
        "tunnels": 3,
        "messages_in_per_s": 0.0,
        "messages_out_per_s": 30.0,
    }


def test_a_sample_holds_the_machine_and_the_proxy() -> None:
    with status_server([json.dumps(STATUS).encode()]) as address:
        sample = Sampler(proxy_pid=os.getpid(), status_address=address).sample()

    assert sample.at_ms > 1_600_000_000_000
    assert sample.proxy.note == ""
    assert sample.proxy.connections == 7
    assert sample.proxy.memory_octets is not None
    assert sample.proxy.memory_octets > 0


def test_a_proxy_of_which_nothing_is_known_says_so() -> None:
    proxy = Sampler().sample().proxy

    assert proxy.note == "its process is not known, it does not count messages"
    assert (proxy.cpu_percent, proxy.connections) == (None, None)


@pytest.mark.parametrize("answer", [b"", b"nonsense", b"[]", b"{}", b'{"tunnels": 1}'])
def test_a_status_that_says_nothing_is_noted(answer: bytes) -> None:
    with status_server([answer]) as address:
        proxy = Sampler(status_address=address).sample().proxy

    assert proxy.note.endswith("its status does not answer")
    assert proxy.tunnels is None


def test_a_process_that_is_gone_is_noted() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    proxy = Sampler(proxy_pid=child.pid).sample().proxy

    assert proxy.note.startswith("its process cannot be read")

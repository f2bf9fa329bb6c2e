"""What a measurement finds, against a server of ours."""

from __future__ import annotations

import os

import psutil
import pytest
from bench.benchmarks import Scenario
from bench.sample import Clocks, Void, drive, opened, turn_over, void_where_it_fails, weigh

from bench import sample
from kit.echo_server import echo_server
from upwire.errors import RemoteProtocolError

SCENARIO = Scenario(2)


@pytest.fixture(autouse=True)
def in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "WARM_UP_S", 0.05)
    monkeypatch.setattr(sample, "FIRST_CONNECTIONS", 3)


def test_messages_are_driven_and_accounted_for() -> None:
    with echo_server() as port:
        found = drive(os.getpid(), port, SCENARIO, 0.1, upstream=os.getpid())
    assert found.value > 0
    assert found.cpu_us is not None
    assert found.p50_us is not None
    assert found.p99_us is not None
    assert 0 < found.p50_us <= found.p99_us
    assert found.memory_octets is not None
    assert found.memory_octets > 0


def test_connections_are_weighed() -> None:
    with echo_server() as port:
        assert weigh(os.getpid(), port, SCENARIO).memory_octets


def test_connections_are_turned_over_beside_others() -> None:
    with echo_server() as port:
        found = turn_over(os.getpid(), port, Scenario(2, held=1), 0.1)
    assert found.value > 0
    assert found.p50_us is not None
    assert found.p50_us > 0


def test_nothing_is_void() -> None:
    clocks = Clocks(os.getpid())
    clocks.stop()
    with pytest.raises(Void, match="nothing came back"):
        clocks.sample(0, p50_ns=0, p99_ns=0, memory_octets=0)


def test_messages_that_are_lost_are_void() -> None:
    with echo_server() as port, pytest.raises(Void, match="lost connections 2"):
        drive(os.getpid(), port, Scenario(2, 2**21), 0.1)


def test_connections_that_are_lost_weigh_nothing() -> None:
    with echo_server() as port, pytest.raises(Void, match="lost connections 2"):
        weigh(os.getpid(), port, Scenario(2, 2**21))


@pytest.mark.parametrize(
    "error", [RemoteProtocolError("no"), OSError("no"), psutil.NoSuchProcess(1, msg="no")]
)
def test_what_fails_is_void(error: Exception) -> None:
    with pytest.raises(Void, match="no"), void_where_it_fails():
        raise error


def test_a_port_that_nobody_listens_on_is_void() -> None:
    with echo_server() as port:
        pass
    with pytest.raises(Void, match="Connection refused"), opened(port, SCENARIO):
        raise AssertionError

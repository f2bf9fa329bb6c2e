"""The counters, which processes share; the server that tells them is tested in test_running."""

from __future__ import annotations

import json
import os

import pytest

from upwire.errors import LocalProtocolError
from upwire.proxy import status
from upwire.proxy.status import Counters, to_json


class Tunnel:
    """A tunnel that has carried so much."""

    def __init__(self, *totals: int) -> None:
        self.carried = totals

    def totals(self) -> tuple[int, int, int, int]:
        first, second, third, fourth = self.carried
        return first, second, third, fourth

    def close(self, *given: object) -> None:
        raise AssertionError("nobody asked for that")

    abort = close


def test_a_process_counts() -> None:
    counters = Counters()
    counters.accepted += 2
    counters.requests += 1
    counters.statuses[200] += 1
    counters.statuses[999] += 1
    assert counters.accepted == 2
    assert counters.totals().accepted == 2
    assert counters.status_totals() == {200: 1, 999: 1}


def test_tunnels_are_counted_while_they_last_and_after() -> None:
    counters = Counters()
    first, second = Tunnel(1, 10, 2, 20), Tunnel(1, 1, 1, 1)
    counters.tunnel_began(first)
    counters.tunnel_began(second)
    first.carried = (3, 30, 4, 40)
    assert counters.totals().tunnelled == (4, 31, 5, 41)
    counters.tunnel_ended(first)
    totals = counters.totals()
    assert (totals.tunnelled, totals.tunnels_now, totals.tunnels_total) == ((4, 31, 5, 41), 1, 2)


def test_all_processes_are_summed() -> None:
    counters = Counters()
    row = counters.reserve()
    pid = os.fork()
    if pid == 0:
        counters.claim(row)
        counters.accepted += 5
        counters.active += 1
        counters.statuses[404] += 2
        counters.tunnel_began(Tunnel(1, 2, 3, 4))
        counters.publish()
        os._exit(0)
    os.waitpid(pid, 0)
    counters.accepted += 1
    totals = counters.totals()
    assert (totals.accepted, totals.active, totals.tunnels_now) == (6, 1, 1)
    assert totals.tunnelled == (1, 2, 3, 4)

    counters.release(row)  # it has ended: nothing is open in it any more
    totals = counters.totals()
    assert (totals.accepted, totals.active, totals.tunnels_now) == (6, 0, 0)
    assert (totals.tunnels_total, totals.tunnelled) == (1, (0, 0, 0, 0))
    assert counters.status_totals() == {404: 2}
    assert counters.reserve() == row
    assert counters.reserve() == row + 1


def test_there_are_only_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_ROWS", 2)
    monkeypatch.setattr(status, "_USED_AT", 2 * status._COLUMNS)
    counters = Counters()
    assert counters.reserve() == 1
    with pytest.raises(LocalProtocolError, match="no more than 1 processes can be spawned"):
        counters.reserve()


def test_the_numbers_as_json() -> None:
    counters = Counters()
    counters.requests += 3
    counters.statuses[101] += 1
    told = json.loads(to_json(counters))
    assert told["requests"] == {"total": 3, "by_status": {"101": 1}}
    assert told["connections"] == {"active": 0, "accepted": 0, "handled": 0}
    assert told["tunnels"]["from_clients"] == {"messages": 0, "octets": 0}

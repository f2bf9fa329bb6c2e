"""Peers that follow their names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.loop import in_loop
from kit.name_server import NameServer, name_server
from kit.proxy_site import read_conf
from upwire.proxy.cycle import Cycle, Surroundings
from upwire.proxy.status import Counters
from upwire.proxy.zone import Zones

RECORDS = {
    "a.test A": "10.0.0.1,10.0.0.2",
    "_http._tcp.a.test SRV": "1 0 81 a.test.,2 7 82 a.test.",
}


def make(server: NameServer, folder: Path, zones: Zones, peer: str = "a.test:80 resolve") -> Cycle:
    conf = read_conf(
        f"""
        access_log access.log;
        resolver 127.0.0.1:{server.port}; resolver_timeout 1s;
        upstream u {{ zone z 1m; server 10.0.0.9:80; server {peer}; }}
        """
    )
    server.ttl_s = 0
    log = str(folder / "error.log")
    around = Surroundings(str(folder), lambda host: [host], Counters(), zones, error_log=log)
    return Cycle(conf, around)


def addresses(cycle: Cycle) -> list[str]:
    return [str(state.address) for state in cycle.upstreams["u"].peers]


async def wait_for(cycle: Cycle, *expected: str) -> None:
    async with asyncio.timeout(10):
        while addresses(cycle) != list(expected):
            await turn()


async def turn() -> None:
    """Let the others go on."""
    await asyncio.sleep(0.001)


@in_loop
async def test_peers_follow_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upwire.proxy.live_peers.RETRY_S", 0.001)
    async with name_server(RECORDS) as server:
        cycle = make(server, tmp_path, Zones())
        assert addresses(cycle) == ["10.0.0.9:80"]
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.1:80", "10.0.0.2:80")
        kept = cycle.upstreams["u"].peers[2]
        kept.fails = 1
        server.records["a.test A"] = "10.0.0.2"
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.2:80")
        assert cycle.upstreams["u"].peers[1] is kept
        cycle.close()


@in_loop
async def test_whole_addresses_alone_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upwire.proxy.live_peers.NAMES_OCTETS_MAX", len("10.0.0.1 10.0.0."))
    zones = Zones()
    async with name_server(RECORDS) as server:
        cycle = make(server, tmp_path, zones)
        zones.commit()
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.1:80", "10.0.0.2:80")
        cycle.close()
        cycle = make(server, tmp_path, zones)
        assert addresses(cycle) == ["10.0.0.9:80", "10.0.0.1:80"]
        cycle.close()


@in_loop
async def test_a_name_without_addresses_has_no_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upwire.proxy.live_peers.RETRY_S", 0.001)
    async with name_server(RECORDS) as server:
        cycle = make(server, tmp_path, Zones())
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.1:80", "10.0.0.2:80")
        server.records.clear()
        await wait_for(cycle, "10.0.0.9:80")
        cycle.close()
    assert (
        "a.test could not be resolved (3: Host not found)" in (tmp_path / "error.log").read_text()
    )


@in_loop
async def test_a_server_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upwire.proxy.live_peers.RETRY_S", 0.001)
    async with name_server(RECORDS) as server:
        cycle = make(server, tmp_path, Zones())
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.1:80", "10.0.0.2:80")
        server.records["a.test A"] = "SERVFAIL"
        log = tmp_path / "error.log"
        async with asyncio.timeout(10):
            while "(2: Server failure)" not in log.read_text():
                await turn()
        assert len(addresses(cycle)) == 3
        cycle.close()


@in_loop
async def test_a_service_names_ports_and_backups(tmp_path: Path) -> None:
    async with name_server(RECORDS) as server:
        cycle = make(server, tmp_path, Zones(), "a.test service=http resolve")
        cycle.tick()
        await wait_for(
            cycle, "10.0.0.9:80", "10.0.0.1:81", "10.0.0.2:81", "10.0.0.1:82", "10.0.0.2:82"
        )
        weights = [(one.peer.weight, one.peer.backup) for one in cycle.upstreams["u"].peers]
        assert weights == [(1, False), (1, False), (1, False), (7, True), (7, True)]
        cycle.close()


@in_loop
async def test_a_service_may_be_a_whole_name(tmp_path: Path) -> None:
    async with name_server({"_x.y.a.test SRV": "1 1 83 b.test.", "b.test A": "10.0.0.3"}) as server:
        cycle = make(server, tmp_path, Zones(), "a.test service=_x.y resolve")
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.3:83")
        cycle.close()


@in_loop
async def test_the_next_cycle_begins_with_what_was_found(tmp_path: Path) -> None:
    zones = Zones()
    async with name_server(RECORDS) as server:
        cycle = make(server, tmp_path, zones)
        zones.commit()
        cycle.tick()
        await wait_for(cycle, "10.0.0.9:80", "10.0.0.1:80", "10.0.0.2:80")
        following = make(server, tmp_path, zones, "a.test:81 resolve")
        assert addresses(following) == ["10.0.0.9:80", "10.0.0.1:81", "10.0.0.2:81"]
        cycle.close()
        following.close()

"""limit_conn: requests at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kit.proxy_site import LISTENING, cycle_of, make_request
from upwire.proxy.exchange import Exchange
from upwire.proxy.modules import limit_conn
from upwire.proxy.request import Request

ZONES = "limit_conn_zone $arg_k zone=z:32k; limit_conn_zone $arg_o zone=o:32k; "


def end(request: Request) -> None:
    Exchange(request).finish()


def test_one_too_many_is_refused_until_another_ends(tmp_path: Path) -> None:
    async def run() -> None:
        http = ZONES + LISTENING.format(directives="limit_conn z 2; limit_conn_status 429;")
        with cycle_of(http, tmp_path) as cycle:
            requests = [make_request(cycle, "/?k=1") for _ in range(4)]
            assert [await limit_conn.check(request) for request in requests[:3]] == [
                None,
                None,
                429,
            ]
            states = [request.lookup("limit_conn_status") for request in requests]
            assert states == ["PASSED", "PASSED", "REJECTED", None]
            assert await limit_conn.check(make_request(cycle, "/?k=2")) is None
            end(requests[2])  # it was not counted
            assert await limit_conn.check(requests[3]) == 429
            end(requests[0])
            end(requests[1])
            again = make_request(cycle, "/?k=1")
            assert await limit_conn.check(again) is None
            assert await limit_conn.check(again) is None  # counted once

    asyncio.run(run())
    assert 'limiting connections by zone "z"' in (tmp_path / "error.log").read_text()


def test_what_is_refused_is_counted_nowhere(tmp_path: Path) -> None:
    async def run() -> None:
        http = ZONES + LISTENING.format(directives="limit_conn o 1; limit_conn z 1;")
        with cycle_of(http, tmp_path) as cycle:
            assert await limit_conn.check(make_request(cycle, "/?k=1")) is None
            assert await limit_conn.check(make_request(cycle, "/?k=1&o=1")) == 503
            assert await limit_conn.check(make_request(cycle, "/?o=1")) is None

    asyncio.run(run())


def test_a_dry_run(tmp_path: Path) -> None:
    async def run() -> None:
        http = ZONES + LISTENING.format(directives="limit_conn z 1; limit_conn_dry_run on;")
        with cycle_of(http, tmp_path) as cycle:
            requests = [make_request(cycle, "/?k=1") for _ in range(2)]
            assert [await limit_conn.check(request) for request in requests] == [None, None]
            assert requests[1].lookup("limit_conn_status") == "REJECTED_DRY_RUN"

    asyncio.run(run())
    assert "limiting connections, dry run, by zone" in (tmp_path / "error.log").read_text()


def test_a_key_that_is_too_long_is_not_counted(tmp_path: Path) -> None:
    async def run() -> None:
        http = ZONES + LISTENING.format(directives="limit_conn z 1;")
        with cycle_of(http, tmp_path) as cycle:
            for _ in range(2):
                assert await limit_conn.check(make_request(cycle, f"/?k={'x' * 256}")) is None

    asyncio.run(run())
    assert "key is more than 255 bytes" in (tmp_path / "error.log").read_text()


def test_a_full_zone_lets_nobody_in(tmp_path: Path) -> None:
    async def run() -> None:
        http = ZONES + LISTENING.format(directives="limit_conn z 1;")
        with cycle_of(http, tmp_path) as cycle:
            places = cycle.limit_zones["z"].capacity
            handled = [
                await limit_conn.check(make_request(cycle, f"/?k={number}"))
                for number in range(places + 1)
            ]
            assert set(handled) == {None, 503}

    asyncio.run(run())

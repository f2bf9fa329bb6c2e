"""limit_req: requests a second. The rates are so low that no time passes in between."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from kit import virtual_time
from kit.proxy_site import LISTENING, cycle_of, get, make_request
from upwire.proxy.modules import limit_req

ZONE = "limit_req_zone $arg_k zone=z:32k rate={rate}; limit_req_zone $arg_o zone=o:32k rate=1r/m; "


def statuses(folder: Path, limits: str, *targets: str, rate: str = "1r/m") -> list[int]:
    async def run() -> list[int]:
        http = ZONE.format(rate=rate) + LISTENING.format(directives=limits)
        with cycle_of(http, folder) as cycle:
            return [(await get(cycle, target)).status for target in targets]

    return virtual_time.run(run())


def test_what_exceeds_the_rate_is_refused(tmp_path: Path) -> None:
    targets = ("/?k=1", "/?k=1", "/?k=2", "/", "/")
    assert statuses(tmp_path, "limit_req zone=z;", *targets) == [404, 503, 404, 404, 404]
    log = (tmp_path / "error.log").read_text()
    assert "[error]" in log
    assert 'limiting requests, excess: 1.000 by zone "z"' in log


def test_a_burst_without_delay(tmp_path: Path) -> None:
    limits = "limit_req zone=z burst=2 nodelay; limit_req_status 429; limit_req_log_level warn;"
    assert statuses(tmp_path, limits, *["/?k=1"] * 4) == [404, 404, 404, 429]
    assert "[warn]" in (tmp_path / "error.log").read_text()


def test_all_zones_count_or_none(tmp_path: Path) -> None:
    limits = "limit_req zone=o burst=1 nodelay; limit_req zone=z;"
    targets = ("/?k=1&o=1", "/?k=1&o=1", "/?k=2&o=1", "/?k=3&o=1")
    assert statuses(tmp_path, limits, *targets) == [404, 503, 404, 503]


def test_what_is_not_yet_due_waits(tmp_path: Path) -> None:
    limits = "limit_req zone=z burst=3 delay=1; limit_req_log_level notice;"
    assert statuses(tmp_path, limits, *["/?k=1"] * 3, rate="10r/m") == [404, 404, 404]
    log = (tmp_path / "error.log").read_text()
    assert "[info]" in log
    assert re.search(r'delaying request, excess: (2\.000|1\.99\d), by zone "z"', log)


@pytest.mark.parametrize(("limit", "state"), [("", "REJECTED"), ("burst=5", "DELAYED")])
def test_a_dry_run(limit: str, state: str, tmp_path: Path) -> None:
    async def run() -> None:
        limits = f"limit_req zone=z {limit}; limit_req_dry_run on;"
        http = ZONE.format(rate="1r/m") + LISTENING.format(directives=limits)
        with cycle_of(http, tmp_path) as cycle:
            first, second = make_request(cycle, "/?k=1"), make_request(cycle, "/?k=1")
            assert await limit_req.check(first) is None
            assert first.lookup("limit_req_status") == "PASSED"
            assert await limit_req.check(second) is None
            assert second.lookup("limit_req_status") == f"{state}_DRY_RUN"
            assert await limit_req.check(second) is None

    asyncio.run(run())
    assert ", dry run, excess: 1.000" in (tmp_path / "error.log").read_text()


def test_a_key_that_is_too_long_is_not_counted(tmp_path: Path) -> None:
    async def run() -> None:
        http = ZONE.format(rate="1r/m") + LISTENING.format(directives="limit_req zone=z;")
        with cycle_of(http, tmp_path) as cycle:
            for _ in range(2):
                request = make_request(cycle, f"/?k={'x' * 65536}")
                assert await limit_req.check(request) is None
                assert request.lookup("limit_req_status") is None

    asyncio.run(run())
    assert "key is more than 65535 bytes" in (tmp_path / "error.log").read_text()


@pytest.mark.parametrize(
    ("jump_ms", "excess"), [(0, 1000), (500, 500), (1000, 0), (-1000, 1000), (-61000, 999)]
)
def test_time_wears_the_excess_off(
    jump_ms: int, excess: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr("upwire.proxy.modules.limit_req.time", clock)

    async def run() -> None:
        nonlocal now_s
        http = ZONE.format(rate="1r/s") + LISTENING.format(directives="limit_req zone=z;")
        with cycle_of(http, tmp_path) as cycle:
            assert await limit_req.check(make_request(cycle, "/?k=1")) is None
            now_s += jump_ms / 1000
            handled = await limit_req.check(make_request(cycle, "/?k=1"))
            assert handled == (503 if excess else None)

    asyncio.run(run())
    if excess:
        assert f"excess: {excess / 1000:.3f}" in (tmp_path / "error.log").read_text()

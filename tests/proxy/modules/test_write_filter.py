"""How fast a client gets its response."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit import virtual_time
from kit.proxy_site import Visit, cycle_of, get, make_request
from upwire.conf.variables import Template
from upwire.proxy.cycle import Cycle
from upwire.proxy.modules.write_filter import read_octets

LENGTH = 2500
SITE = f"""
    server {{
        listen 127.0.0.1:80;
        location /all {{ return 200 {"x" * LENGTH}; }}
        location /slow {{ limit_rate 1000; return 200 {"x" * LENGTH}; }}
        location /after {{ limit_rate 1000; limit_rate_after 1k; return 200 {"x" * LENGTH}; }}
        location /given {{
            limit_rate $arg_rate; limit_rate_after $arg_after; return 200 {"x" * LENGTH};
        }}
        location /set {{
            limit_rate 1; set $limit_rate $arg_rate; add_header X-Rate $limit_rate;
            return 200 {"x" * LENGTH};
        }}
    }}
"""


def seconds_of(cycle: Cycle, target: str, method: str = "GET") -> float:
    """Return how long a response takes; all of it has to come."""

    async def run() -> float:
        loop = asyncio.get_running_loop()
        answer = await get(cycle, target, method=method)
        assert len(answer.content) == (LENGTH if method == "GET" else 0)
        return loop.time()

    return virtual_time.run(run())


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        ("/all", 0),
        ("/slow", 2),  # 1000 octets in each second, the head's among them
        ("/after", 1),
        ("/given", 0),
        ("/given?rate=0", 0),
        ("/given?rate=1k", 2),
        ("/given?rate=1k&after=4k", 0),
        ("/given?rate=100", 26),
        ("/set?rate=0", 0),
        ("/set?rate=1k", 2),
    ],
)
def test_rates(target: str, seconds: float, tmp_path: Path) -> None:
    with cycle_of(SITE, tmp_path) as cycle:
        assert seconds_of(cycle, target) == pytest.approx(seconds, abs=0.2)


def test_a_head_alone_does_not_wait(tmp_path: Path) -> None:
    with cycle_of(SITE, tmp_path) as cycle:
        assert seconds_of(cycle, "/given?rate=1", method="HEAD") == 0


def test_the_rate_is_a_variable(tmp_path: Path) -> None:
    with cycle_of(SITE, tmp_path) as cycle:
        answer = virtual_time.run(get(cycle, "/set?rate=40k"))
        assert answer.fields["x-rate"] == "40960"


def test_what_is_no_rate_changes_nothing(tmp_path: Path) -> None:
    with cycle_of(SITE.replace("limit_rate 1;", ""), tmp_path) as cycle:
        assert seconds_of(cycle, "/set?rate=fast") == 0
    assert 'invalid $limit_rate "fast"' in (tmp_path / "error.log").read_text()


def test_sizes_with_variables(tmp_path: Path) -> None:
    with cycle_of(SITE, tmp_path) as cycle:
        request = make_request(cycle, "/?rate=1k")
        assert read_octets(None, request) == 0
        assert read_octets(Template.compile("$arg_rate"), request) == 1024
        assert read_octets(Template.compile("$arg_none"), request) == 0
    assert 'invalid size ""' in (tmp_path / "error.log").read_text()


def test_a_client_that_leaves_is_not_waited_for(tmp_path: Path) -> None:
    async def run() -> float:
        one = Visit(cycle)
        one.client.write(b"GET /given?rate=100 HTTP/1.1\r\nHost: h\r\n\r\n")
        serving = asyncio.create_task(one.serve())
        await one.client.read(timeout_s=10)
        one.client.close()
        await serving
        return asyncio.get_running_loop().time()

    with cycle_of(SITE, tmp_path) as cycle:
        assert virtual_time.run(run()) < 10
    assert "client prematurely closed connection" in (tmp_path / "error.log").read_text()

"""geo: values by the client's address."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, make_request

GEOS = """
    geo $plain { default d; 10.0.0.0/8 ten; 2001:db8::/32 six; 1.1.1.1 one; }
    geo $behind { default d; 10.0.0.0/8 ten; 1.1.1.1 one; proxy 10.1.2.3; }
    geo $chain { default d; 10.0.0.0/8 ten; 1.1.1.1 one; proxy 10.0.0.0/8; proxy_recursive; }
    geo $arg_a $asked { default d; 1.1.1.1 one; 255.255.255.255 none; }
    geo $arg_a $fresh { default d; 1.1.1.1 one; volatile; }
"""


@pytest.mark.parametrize(
    ("name", "target", "forwarded", "value"),
    [
        ("plain", "/", "1.1.1.1", "ten"),
        ("behind", "/", "1.1.1.1", "one"),
        ("behind", "/", "1.1.1.1, 10.9.9.9", "ten"),
        ("chain", "/", "1.1.1.1, 10.9.9.9", "one"),
        ("behind", "/", "x", "ten"),
        ("asked", "/?a=1.1.1.1", "", "one"),
        ("asked", "/?a=x", "", "none"),
        ("asked", "/", "", "none"),
    ],
)
def test_values(name: str, target: str, forwarded: str, value: str, tmp_path: Path) -> None:
    async def run() -> None:
        with cycle_of(GEOS + LISTENING.format(directives=""), tmp_path) as cycle:
            request = make_request(cycle, target, {"X-Forwarded-For": forwarded})
            assert request.lookup(name) == value

    asyncio.run(run())


@pytest.mark.parametrize(("name", "later"), [("asked", "one"), ("fresh", "d")])
def test_a_value_is_kept_unless_it_is_volatile(name: str, later: str, tmp_path: Path) -> None:
    async def run() -> None:
        with cycle_of(GEOS + LISTENING.format(directives=""), tmp_path) as cycle:
            request = make_request(cycle, "/?a=1.1.1.1")
            assert request.lookup(name) == "one"
            request.args = "a=2.2.2.2"
            assert request.lookup(name) == later

    asyncio.run(run())

"""split_clients: values by the hash of a text."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, make_request
from upwire.proxy.modules.split_clients import murmur_hash2


@pytest.mark.parametrize(
    ("octets", "number"),
    [
        (b"", 0),
        (b"a", 0x92685F5E),
        (b"ab", 0x1AA14063),
        (b"abc", 0x13577C9B),
        (b"abcd", 0x26873021),
    ],
)
def test_the_hash(octets: bytes, number: int) -> None:
    assert murmur_hash2(octets) == number


def test_parts(tmp_path: Path) -> None:
    async def run() -> None:
        http = "split_clients $arg_a $x { 10% a; 60% b; }" + LISTENING.format(directives="")
        with cycle_of(http, tmp_path) as cycle:
            found = [make_request(cycle, f"/?a={text}").lookup("x") for text in ("abc", "ab", "a")]
            assert found == ["a", "b", "b"]
            assert make_request(cycle, "/?a=abcdef").lookup("x") in ("a", "b", "")

    asyncio.run(run())

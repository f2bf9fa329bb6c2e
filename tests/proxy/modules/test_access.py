"""allow and deny."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, get


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ("", 404),
        ("deny all;", 403),
        ("allow all; deny all;", 404),
        ("deny 10.1.2.3;", 403),
        ("deny 10.1.2.4;", 404),
        ("allow 10.0.0.0/8; deny all;", 404),
        ("deny 10.0.0.0/8; allow 10.1.2.3;", 403),
        ("allow unix:; deny ::/0;", 404),
        ("satisfy any; deny 10.1.2.3;", 403),
    ],
)
def test_the_first_rule_that_matches(rules: str, status: int, tmp_path: Path) -> None:
    async def run() -> None:
        text = f"location / {{ {rules} }}"
        with cycle_of(LISTENING.format(directives=text), tmp_path) as cycle:
            assert (await get(cycle, "/")).status == status

    asyncio.run(run())
    is_logged = "access forbidden by rule" in (tmp_path / "error.log").read_text()
    assert is_logged == (status == 403)

from __future__ import annotations

import pytest

from kit.check_home import CHECKS, Check, name_of, run_check
from kit.loop import in_loop
from upwire.rooms.memory import MemoryHome


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@in_loop
async def test_memory_is_a_home(check: Check) -> None:
    """tests/rooms/test_redis_home.py asks the same of Redis."""
    await run_check(check, MemoryHome())

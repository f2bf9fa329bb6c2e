from __future__ import annotations

import pytest

from kit.check_home import CHECKS, Check, name_of, run_check
from kit.loop import in_loop
from upwire.errors import LocalProtocolError
from upwire.rooms.home import HistoryLimits
from upwire.rooms.memory import MemoryHome


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@in_loop
async def test_memory_is_a_home(check: Check) -> None:
    """tests/rooms/test_redis_home.py asks the same of Redis."""
    await run_check(check, MemoryHome())


@pytest.mark.parametrize(
    ("messages", "ttl_s"),
    [(-1, 1.0), (10**9 + 1, 1.0), (1, -0.1), (1, float("inf")), (1, float("nan")), (1, 1e10)],
)
def test_what_no_home_can_keep_is_no_limit(messages: int, ttl_s: float) -> None:
    with pytest.raises(LocalProtocolError, match="of a history is 0 to"):
        HistoryLimits(messages, ttl_s)

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.check_home import CHECKS, Check, name_of, run_check
from kit.loop import in_loop
from kit.redis import RedisServer, needs_redis, running_redis
from upwire.rooms.redis_home import RedisHome

pytestmark = needs_redis


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests share that do not harm it; each has a prefix of its own."""
    folder = tmp_path_factory.mktemp("redis")
    with running_redis(folder, "--appendonly", "no") as server:
        yield server


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@in_loop
async def test_it_is_a_home(check: Check, quick: RedisServer) -> None:
    await run_check(check, RedisHome(quick.url, prefix=name_of(check)))

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.check_home import CHECKS, Check, name_of, publish, run_check
from kit.loop import in_loop
from kit.redis import RedisServer, needs_redis, nodes, running_cluster, running_redis
from upwire.rooms import redis_feed, redis_home, redis_scripts
from upwire.rooms.home import HistoryLimits, Publication
from upwire.rooms.redis_home import RedisHome
from upwire.rooms.redis_octets import name_keys
from upwire.rooms.redis_scripts import Script

pytestmark = needs_redis
LOBBY = name_keys("upwire", "lobby")
SOME = [check for check in CHECKS if "told" in name_of(check) or "any_name" in name_of(check)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_cluster(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.mark.parametrize("check", SOME, ids=name_of)
@in_loop
async def test_a_room_is_in_one_slot_of_a_cluster(check: Check, cluster: RedisServer) -> None:
    await run_check(check, RedisHome(cluster.url, prefix=name_of(check)))


@pytest.mark.parametrize("check", SOME, ids=name_of)
@in_loop
async def test_a_server_without_sharded_channels_has_plain_ones(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HAS_SHARDED_CHANNELS", "PUBLISH", "READ", "ENTER", "LEAVE", "PRESENCE"):
        script: Script = getattr(redis_scripts, name)
        plain = redis_scripts._script(script.text.replace("redis.REDIS_VERSION_NUM", "false"))
        for module in (redis_home, redis_feed):
            monkeypatch.setattr(module, name, plain, raising=False)
        monkeypatch.setattr(redis_scripts, "ALL", (*redis_scripts.ALL, plain))
    with running_redis(tmp_path, "--rename-command", "SPUBLISH", "") as server:
        await run_check(check, RedisHome(server.url))


@in_loop
async def test_all_that_a_room_leaves_behind_expires(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, server.client() as client:
        async with nodes(server.url, 1) as [home]:
            await home.position("only asked for")
            await publish(home, "x")
            await home.enter("lobby", "m1", {})
            lives_s = {key: client.ttl(key) for key in client.keys("*")}

    assert lives_s.pop("upwire:{only%20asked%20for}:meta") in range(599, 601)
    assert lives_s.pop(LOBBY.meta) in range(86399, 86401)
    assert lives_s.pop(LOBBY.log) in range(59, 61)
    assert lives_s.pop(LOBBY.members) in range(3659, 3661)
    assert lives_s.pop(LOBBY.expiry) in range(3659, 3661)
    [(once, life_s)] = lives_s.items()
    assert once.startswith(LOBBY.once)
    assert life_s in range(19, 21)


@in_loop
async def test_an_epoch_lives_as_long_as_its_log(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, server.client() as client:
        async with nodes(server.url, 1) as [home]:
            keep = HistoryLimits(messages=1, ttl_s=7 * 86400.0)
            await home.publish("lobby", Publication("x"), keep=keep)
            await publish(home, "y")
            await home.position("lobby")

            assert client.ttl(LOBBY.meta) > 6 * 86400

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kit.check_home import Recorder, publish
from kit.loop import in_loop
from kit.redis import RedisServer, needs_redis, nodes, running_cluster, running_redis
from upwire.errors import HomeUnreachable
from upwire.rooms import redis_feed
from upwire.rooms.home import History, HistoryLimits, Publication
from upwire.rooms.redis_link import Refused
from upwire.rooms.redis_octets import encode_publication, name_keys
from upwire.rooms.redis_scripts import PUBLISH
from upwire.rooms.redis_subscription import Subscription

pytestmark = needs_redis
LOBBY = name_keys("upwire", "lobby")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis"), "--appendonly", "no") as server:
        yield server


@pytest.fixture(autouse=True)
def empty(server: RedisServer) -> None:
    with server.client() as client:
        client.flushall()


@in_loop
async def test_what_the_channel_has_lost_comes_from_the_log(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [home]:
        recorder = Recorder()
        await home.subscribe("lobby", recorder)
        await publish(home, "1")
        publish_unheard(server, "2")
        publish_unheard(server, "3")
        await publish(home, "4")
        await recorder.until_heard(4)

        assert recorder.words() == ["published"] * 4
        assert recorder.data == ["1", "2", "3", "4"]


@in_loop
async def test_what_is_lost_for_good_is_said(server: RedisServer) -> None:
    nothing = HistoryLimits(messages=0)
    async with nodes(server.url, 1) as [home]:
        recorder = Recorder()
        await home.subscribe("lobby", recorder)
        await home.publish("lobby", Publication("1"), keep=nothing)
        publish_unheard(server, "2")
        position = await home.publish("lobby", Publication("3"), keep=nothing)
        await recorder.until_told("resumed")
        await home.publish("lobby", Publication("4"), keep=nothing)
        await recorder.until_told("published", 2)

        assert recorder.words() == ["published", "resumed", "published"]
        assert recorder.events[1] == ("resumed", History(position, (), is_complete=False))
        assert recorder.data == ["1", "4"]


@in_loop
async def test_octets_of_others_are_passed_over(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [home]:
        recorder = Recorder()
        await home.subscribe("lobby", recorder)
        await publish(home, "1")
        with server.client() as client:
            for message in (
                "",
                "x",
                "p",
                "p1 2 {}",
                "p1 x {}\n",
                "j{}",
                "j[1]",
                b"l\xff",
                "p1 2 3",
            ):
                client.execute_command("SPUBLISH", LOBBY.channel, message)
            client.execute_command("SPUBLISH", "elsewhere", "l")
        publish_unheard(server, octets=b"nonsense")
        await publish(home, "3")
        await recorder.until_told("resumed")

        assert recorder.words() == ["published", "resumed"]
        history = recorder.events[1][1]
        assert isinstance(history, History)
        assert (history.is_complete, history.position.offset) == (False, 3)


@in_loop
async def test_many_rooms_are_all_caught_up_with(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "_ROOMS_AT_ONCE", 4)
    rooms = [f"room {number}" for number in range(10)]
    async with nodes(server.url, 2) as [near, far]:
        recorders = {room: Recorder() for room in rooms}
        for room, recorder in recorders.items():
            await near.subscribe(room, recorder)
        server.cut_connections("pubsub")
        for room in rooms:
            await publish(far, room, room=room)
        for room, recorder in recorders.items():
            await recorder.until_heard(1)
            assert recorder.data == [room]


@in_loop
async def test_a_room_that_is_joined_while_the_connection_is_away_is_heard(
    server: RedisServer,
) -> None:
    async with nodes(server.url, 1) as [home]:
        early, late = Recorder(), Recorder()
        await home.subscribe("early", early)
        server.cut_connections("pubsub")
        await early.until_told("interrupted")
        await home.subscribe("late", late)
        await publish(home, "x", room="late")
        await late.until_heard(1)

        assert late.words() == ["published"]


@in_loop
async def test_who_leaves_while_the_connection_is_away_hears_nothing(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [home]:
        leaving, staying = Recorder(), Recorder()
        await home.subscribe("lobby", leaving)
        await home.subscribe("other", staying)
        server.cut_connections("pubsub")
        await staying.until_told("interrupted")
        await home.unsubscribe("lobby")
        await publish(home, "unheard")
        await publish(home, "heard", room="other")
        await staying.until_heard(1)

        assert leaving.words() == ["interrupted"]


@in_loop
async def test_a_silent_server_is_noticed(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "PING_INTERVAL_S", 0.05)
    async with nodes(server.url, 1) as [home]:
        recorder = Recorder()
        await home.subscribe("lobby", recorder)
        server.pause()
        try:
            await recorder.until_told("interrupted")
        finally:
            server.resume()
        await recorder.until_told("resumed")
        await publish(home, "x")
        await recorder.until_heard(1)

        assert recorder.words() == ["interrupted", "resumed", "published"]


@in_loop
async def test_a_room_that_is_refused_is_interrupted_alone(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "PING_INTERVAL_S", 0.05)
    async with nodes(server.url, 1) as [home]:
        good, bad = Recorder(), Recorder()
        await home.subscribe("lobby", good)
        await home.subscribe("bad", bad)
        with server.client() as client:
            client.rename("upwire:{bad}:meta", "aside")
            client.set("upwire:{bad}:meta", "a string")
            client.set("upwire:{worse}:meta", "a string")
            with pytest.raises(HomeUnreachable, match="refuses: WRONGTYPE"):
                await home.subscribe("worse", Recorder())
            assert good.words() == bad.words() == []
            server.cut_connections("pubsub")
            await good.until_told("resumed")
            client.rename("aside", "upwire:{bad}:meta")
            await bad.until_told("resumed")
        await publish(home, "x", room="bad")
        await publish(home, "x")
        for recorder in (good, bad):
            await recorder.until_heard(1)
            assert recorder.words() == ["interrupted", "resumed", "published"]
        assert home._feed.rooms == ["lobby", "bad"]


@in_loop
async def test_the_logs_of_rooms_joined_at_once_are_read_together(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "_ROOMS_AT_ONCE", 4)
    async with nodes(server.url, 1) as [home]:
        await home.subscribe("first", Recorder())
        read_logs = home._feed._read_logs
        read: list[int] = []

        async def note(subscriptions: Sequence[Subscription]) -> Sequence[History | Refused]:
            read.append(len(subscriptions))
            return await read_logs(subscriptions)

        monkeypatch.setattr(home._feed, "_read_logs", note)
        recorders = [Recorder() for _ in range(10)]
        await asyncio.gather(
            *(home.subscribe(f"room {i}", recorder) for i, recorder in enumerate(recorders))
        )
        assert read == [4, 4, 2]
        for i, recorder in enumerate(recorders):
            await publish(home, str(i), room=f"room {i}")
            await recorder.until_heard(1)
        assert read == [4, 4, 2]


@in_loop
async def test_a_quiet_connection_is_kept_by_pings(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "PING_INTERVAL_S", 0.3)
    async with nodes(server.url, 1) as [home]:
        recorder = Recorder()
        await home.subscribe("lobby", recorder)
        with server.client() as client:
            start = pings(client.info("commandstats"))
            while pings(client.info("commandstats")) < start + 3:
                await home.position("elsewhere")

        assert recorder.words() == []


@in_loop
async def test_a_subscription_that_the_server_ends_is_begun_again(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster, cluster.client() as client:
        async with nodes(cluster.url, 1) as [home]:
            recorder = Recorder()
            await home.subscribe("lobby", recorder)
            slot = client.execute_command("CLUSTER", "KEYSLOT", LOBBY.channel)
            client.execute_command("CLUSTER", "DELSLOTS", slot)
            client.execute_command("CLUSTER", "ADDSLOTS", slot)
            await recorder.until_told("interrupted")
            cluster.wait_for_cluster()
            await recorder.until_told("resumed")
            await publish(home, "x")
            await recorder.until_heard(1)


@in_loop
async def test_joining_and_leaving_at_once_ends_with_the_last(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [home]:
        for _ in range(20):
            waiting = asyncio.create_task(home.subscribe("lobby", Recorder()))
            await asyncio.sleep(0)
            waiting.cancel()
        recorder = Recorder()
        await home.subscribe("lobby", recorder)
        await publish(home, "x")
        await recorder.until_heard(1)

        assert recorder.words() == ["published"]


def publish_unheard(server: RedisServer, data: str = "", *, octets: bytes | None = None) -> None:
    """Publish so that the log has it, and the room's channel does not."""
    if octets is None:
        octets = encode_publication(Publication(data))
    with server.client() as client:
        keys = (LOBBY.meta, LOBBY.log, LOBBY.once + str(client.incr("unheard")))
        client.eval(
            *(PUBLISH.text, 3, *keys, "epoch", "", 0, "elsewhere", octets, 100, 60_000, 60_000)
        )


def pings(stats: object) -> int:
    assert isinstance(stats, dict)
    calls: int = stats.get("cmdstat_ping", {}).get("calls", 0)
    return calls

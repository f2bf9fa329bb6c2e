from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from kit.check_home import (
    CHECKS,
    KEEP,
    Check,
    Recorder,
    name_of,
    publish,
    run_check,
)
from kit.loop import in_loop
from kit.redis import RedisServer, needs_redis, nodes, running_redis
from upwire.errors import ConfigError, HomeUnreachable, LocalProtocolError
from upwire.rooms import redis_home
from upwire.rooms.home import History, HistoryLimits, Home, Position, Publication
from upwire.rooms.redis_home import RedisHome

pytestmark = needs_redis


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests share that do not harm it; each has a prefix of its own."""
    with running_redis(tmp_path_factory.mktemp("redis"), "--appendonly", "no") as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@in_loop
async def test_it_is_a_home(check: Check, quick: RedisServer) -> None:
    await run_check(check, RedisHome(quick.url, prefix=name_of(check)))


@in_loop
async def test_what_one_node_publishes_all_hear(quick: RedisServer) -> None:
    async with nodes(quick.url, 3) as homes:
        recorders = await subscribe_all(homes, "all")
        for number in range(30):
            await publish(homes[number % 3], str(number), room="all")
        for recorder in recorders:
            await recorder.until_told("published", 30)
            assert recorder.data == [str(number) for number in range(30)]


@in_loop
async def test_a_crash_of_the_server_loses_and_doubles_nothing(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        recorders = await subscribe_all(homes)
        sent = [str(number) for number in range(300)]
        publishing = asyncio.create_task(publish_all(homes[0], sent))
        for share in (50, 150):
            await recorders[1].until_heard(share)
            await server.crash()
        positions = await publishing

        assert [position.offset for position in positions] == list(range(1, 301))
        for recorder in recorders:
            await recorder.until_heard(300)
            assert recorder.data == sent
            assert [publication.offset for publication in recorder.publications] == [
                position.offset for position in positions
            ]
            assert "interrupted" in recorder.words()


@in_loop
async def test_who_never_heard_of_a_crash_recovers_by_its_position(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        first = await publish(homes[0], "1")
        await publish(homes[0], "2")
        await server.crash()

        history = await homes[1].history("lobby", since=first)

        assert [publication.data for publication in history.publications] == ["2"]
        assert history.is_complete


@in_loop
async def test_lost_data_are_another_epoch(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        recorders = await subscribe_all(homes)
        old = await publish(homes[0], "old")
        for recorder in recorders:
            await recorder.until_told("published")
        server.kill()
        server.lose_data()
        server.start()
        for recorder in recorders:
            await recorder.until_told("resumed")
        new = await publish(homes[1], "new")
        for recorder in recorders:
            await recorder.until_told("published", 2)

        assert (new.offset, new.epoch == old.epoch) == (1, False)
        for recorder in recorders:
            told = History(Position(new.epoch, 0), (), is_complete=False)
            assert recorder.events[1:3] == [("interrupted", None), ("resumed", told)]
        assert not (await homes[0].history("lobby", since=old)).is_complete


@in_loop
async def test_older_data_are_another_epoch_where_a_node_knows_better(
    server: RedisServer, tmp_path: Path
) -> None:
    async with nodes(server.url, 3) as homes:
        recorders = await subscribe_all(homes[:2])
        await publish(homes[0], "saved")
        await asyncio.to_thread(server.save_data, tmp_path / "saved")
        lost = [await publish(homes[0], "lost") for _ in range(3)][-1]
        for recorder in recorders:
            await recorder.until_told("published", 4)
        server.kill()
        server.lose_data(tmp_path / "saved")
        server.start()
        # Node 0 may be the first to come, and takes the offsets 2 to 4 for no second time.
        new = [await publish(homes[0], f"new {number}") for number in range(5)]

        assert new[-1].epoch != lost.epoch
        assert not (await homes[2].history("lobby", since=lost)).is_complete
        for recorder in recorders:
            await recorder.until(partial(ends_with, recorder, "new 4"))
            resumed = [event for event in recorder.events if isinstance(event[1], History)]
            assert any(not value.is_complete for _, value in resumed if isinstance(value, History))


@in_loop
async def test_who_publishes_knows_of_older_data_too(server: RedisServer, tmp_path: Path) -> None:
    async with nodes(server.url, 1) as [home]:
        [recorder] = await subscribe_all([home])
        await asyncio.to_thread(server.save_data, tmp_path / "saved")
        seen = await publish(home, "lost")
        await recorder.until_told("published")
        with server.client() as client:  # as a server with older data answers
            client.hset("upwire:{lobby}:meta", "offset", "0")

        assert (await publish(home, "new")).epoch != seen.epoch


@in_loop
async def test_the_same_older_data_are_known_a_second_time(quick: RedisServer) -> None:
    """As a server has them that is restored twice from one snapshot."""
    async with nodes(quick.url, 1) as [home]:
        [recorder] = await subscribe_all([home], "restored")
        await publish(home, "saved", room="restored")
        with quick.client() as client:
            saved = client.hgetall("upwire:{restored}:meta")
            lost = await publish(home, "lost", room="restored")
            await recorder.until(partial(ends_with, recorder, "lost"))
            epochs = [lost.epoch]
            for data in ("first", "second"):
                client.hset("upwire:{restored}:meta", mapping=saved)
                epochs.append((await publish(home, data, room="restored")).epoch)
                await recorder.until(partial(ends_with, recorder, data))

        assert sorted(set(epochs)) == epochs
        assert not (await home.history("restored", since=lost)).is_complete


@in_loop
async def test_a_cut_subscriber_hears_all_in_order(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        recorders = await subscribe_all(homes)
        for round_ in range(5):
            server.cut_connections("pubsub")
            await publish_all(homes[0], [f"{round_} {number}" for number in range(10)])
        for recorder in recorders:
            await recorder.until_heard(50)
            assert [publication.offset for publication in recorder.publications] == list(
                range(1, 51)
            )
            assert "resumed" in recorder.words()


@in_loop
async def test_a_cut_publisher_tries_again(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        [recorder] = await subscribe_all(homes[:1])
        publishing = asyncio.create_task(publish_all(homes[1], list("abcdefghijklmnopqrst")))
        for share in (1, 5, 10, 15):
            await recorder.until_heard(share)
            server.cut_connections("normal")
        await publishing
        await recorder.until_heard(20)

        assert recorder.data == list("abcdefghijklmnopqrst")


@in_loop
async def test_calls_that_do_not_wait_keep_their_order(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        recorders = await subscribe_all(homes)
        publishing = [asyncio.create_task(publish(homes[0], str(number))) for number in range(200)]
        await recorders[0].until_heard(20)
        await server.crash()
        positions = await asyncio.gather(*publishing)

        assert [position.offset for position in positions] == list(range(1, 201))
        await recorders[1].until(partial(ends_with, recorders[1], "199"))


@in_loop
async def test_a_call_that_is_given_up_harms_no_other(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [home]:
        server.pause()
        calls = [asyncio.create_task(publish(home, str(number))) for number in range(3)]
        await asyncio.sleep(0)
        calls[0].cancel()
        later = asyncio.create_task(publish(home, "later"))
        await asyncio.gather(calls[0], return_exceptions=True)
        server.resume()

        offsets = [(await call).offset for call in (*calls[1:], later)]
        assert offsets == sorted(set(offsets))


@in_loop
async def test_a_server_that_is_away_for_long_is_an_error(server: RedisServer) -> None:
    async with nodes(server.url, 1, deadline_s=0.2) as [home]:
        await publish(home, "before")
        server.kill()
        for call in (
            publish(home, "lost"),
            home.history("lobby"),
            home.position("lobby"),
            home.subscribe("lobby", Recorder()),
            home.enter("lobby", "m1", {}),
            home.presence("lobby"),
        ):
            with pytest.raises(HomeUnreachable, match=f"unix://{server.socket} is not reached"):
                await call
        await home.leave("lobby", "m1")
        await home.unsubscribe("lobby")
        server.start()

        assert (await publish(home, "after")).offset == 2
        assert await home.presence("lobby") == {}


@in_loop
async def test_a_publication_of_unknown_fate_may_be_repeated(server: RedisServer) -> None:
    async with nodes(server.url, 1, deadline_s=0.2) as [home]:
        await publish(home, "before")
        server.pause()
        with pytest.raises(HomeUnreachable):
            await home.publish("lobby", Publication("x"), keep=KEEP, idempotency_key="k")
        server.resume()

        position = await home.publish("lobby", Publication("x"), keep=KEEP, idempotency_key="k")

        assert position.offset == 2
        assert (await home.position("lobby")).offset == 2


@in_loop
async def test_a_room_keeps_nothing_beyond_its_time(quick: RedisServer) -> None:
    async with nodes(quick.url, 1) as [home]:
        brief = HistoryLimits(messages=10, ttl_s=0.001)
        for _ in range(2):
            await home.publish("brief", Publication("gone"), keep=brief)
        await home.publish("brief", Publication("kept"), keep=KEEP)
        while (history := await home.history("brief")).publications[0].data == "gone":
            pass

        assert [publication.data for publication in history.publications] == ["kept"]
        assert not history.is_complete


@in_loop
async def test_members_of_a_dead_node_expire_and_are_told_of_once(quick: RedisServer) -> None:
    dead = RedisHome(quick.url, presence_ttl_s=0.05)  # never opened, so it refreshes nothing
    async with nodes(quick.url, 3, presence_ttl_s=0.9) as homes:
        recorders = await subscribe_all(homes, "mortal")
        await dead.enter("mortal", "m1", {})
        await homes[0].enter("mortal", "m2", {"on": 0})
        for recorder in recorders:
            await recorder.until_told("left")
        await homes[0].publish("mortal", Publication("end"), keep=KEEP)
        for recorder in recorders:
            await recorder.until_told("published")
            assert recorder.words() == ["joined", "joined", "left", "published"]
            assert recorder.events[2] == ("left", "m1")
        assert await homes[1].presence("mortal") == {"m2": {"on": 0}}
    await dead.close()


@in_loop
async def test_asking_who_is_there_lets_members_expire(quick: RedisServer) -> None:
    dead = RedisHome(quick.url, presence_ttl_s=0.001)
    async with nodes(quick.url, 1) as [home]:
        [recorder] = await subscribe_all([home], "asked")
        await dead.enter("asked", "m1", {})
        while await home.presence("asked"):
            pass
        await recorder.until_told("left")

        assert recorder.events[-1] == ("left", "m1")
    await dead.close()


@in_loop
async def test_living_members_are_refreshed_in_groups(
    quick: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_home, "_MEMBERS_AT_ONCE", 2)
    monkeypatch.setattr(redis_home, "_ROOMS_AT_ONCE", 2)
    async with nodes(quick.url, 1, presence_ttl_s=1.2) as [home]:
        [recorder] = await subscribe_all([home], "living")
        for room in ("living", "also"):
            for number in range(5):
                await home.enter(room, f"m{number}", {})
        with quick.client() as client:
            for key in ("upwire:{living}:expiry", "upwire:{also}:expiry"):
                start = {member: client.zscore(key, member) for member in client.zrange(key, 0, -1)}
                while any(client.zscore(key, member) == start[member] for member in start):
                    await home.position("living")  # let it go on
        assert len(await home.presence("living")) == len(await home.presence("also")) == 5
        assert "left" not in recorder.words()


@in_loop
async def test_a_member_that_left_while_it_entered_is_not_refreshed(quick: RedisServer) -> None:
    async with nodes(quick.url, 1, presence_ttl_s=0.3) as [home]:
        await asyncio.gather(home.enter("brief", "m1", {}), home.leave("brief", "m1"))
        with quick.client() as client:
            start = client.info("commandstats")["cmdstat_evalsha"]["calls"]
            while client.info("commandstats")["cmdstat_evalsha"]["calls"] < start + 5:
                await home.presence("brief")
        assert home._members == {}
        assert await home.presence("brief") == {}


@in_loop
async def test_a_room_that_is_refused_is_refreshed_beside_others(
    quick: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_home, "_ROOMS_AT_ONCE", 1)
    async with nodes(quick.url, 1, presence_ttl_s=0.6) as [home]:
        for room in ("one", "bad", "other"):
            await home.enter(room, "m1", {})
        with quick.client() as client:
            client.delete("upwire:{bad}:members")
            client.set("upwire:{bad}:members", "a string")
            for room in ("one", "other"):
                key = f"upwire:{{{room}}}:expiry"
                start = client.zscore(key, "m1")
                while client.zscore(key, "m1") == start:
                    await home.position("one")  # let it go on
            client.delete("upwire:{bad}:members")


@pytest.mark.parametrize(
    "meta",
    [
        {"epoch": "e"},
        {"epoch": b"\xff", "offset": 1, "life": 1},
        {"epoch": "e", "offset": "x", "life": 1},
        {"epoch": "e", "offset": -1, "life": 1},
        {"epoch": "e", "offset": 1, "life": "1e+99"},
    ],
)
@in_loop
async def test_a_room_that_others_have_written_to_begins_anew(
    meta: dict[str, str | bytes | int], quick: RedisServer
) -> None:
    async with nodes(quick.url, 1) as [home]:
        with quick.client() as client:
            client.delete("upwire:{theirs}:meta")
            client.hset("upwire:{theirs}:meta", mapping=meta)
            client.xadd("upwire:{theirs}:log", {"a": "b"})
        position = await publish(home, "1", room="theirs")
        assert position.offset == 1
        history = await home.history("theirs")
        assert history == History(position, (Publication("1", offset=1),))


@in_loop
async def test_entries_and_members_of_others_are_passed_over(quick: RedisServer) -> None:
    async with nodes(quick.url, 1) as [home]:
        first = await publish(home, "1", room="shared")
        with quick.client() as client:
            client.xadd("upwire:{shared}:log", {"a": "b"}, id="1-1")
            client.hset("upwire:{shared}:members", "theirs", "b")
        await home.enter("shared", "m1", {})
        assert (await home.history("shared", since=first)).publications == ()
        assert (await publish(home, "2", room="shared")).offset == 2
        assert await home.presence("shared") == {"m1": {}}


@in_loop
async def test_members_enter_again_where_the_server_has_lost_them(server: RedisServer) -> None:
    async with nodes(server.url) as homes:
        [recorder] = await subscribe_all(homes[1:])
        await homes[0].enter("lobby", "m1", {"a": 1})
        await homes[0].enter("lobby", "gone", {})
        await homes[0].leave("lobby", "gone")
        await recorder.until_told("left")
        server.kill()
        server.lose_data()
        server.start()
        await subscribe_all(homes[:1])
        while not (members := await homes[1].presence("lobby")):
            pass

        assert members == {"m1": {"a": 1}}


@in_loop
async def test_closing_takes_the_members_out(quick: RedisServer) -> None:
    async with nodes(quick.url, 1) as [home]:
        [recorder] = await subscribe_all([home], "closing")
        async with nodes(quick.url, 1) as [closing]:
            await closing.enter("closing", "m1", {})
            await closing.enter("closing", "m2", {})
        await recorder.until_told("left", 2)
        assert await home.presence("closing") == {}


@in_loop
async def test_closing_without_a_server_is_no_error(server: RedisServer) -> None:
    async with nodes(server.url, 1, deadline_s=0.1) as [home]:
        await subscribe_all([home])
        await home.enter("lobby", "m1", {})
        server.kill()


@in_loop
async def test_what_redis_cannot_keep_is_refused(quick: RedisServer) -> None:
    async with nodes(quick.url, 1) as [home]:
        with pytest.raises(LocalProtocolError, match="a publication has a lone surrogate"):
            await publish(home, "\ud800")
        with pytest.raises(LocalProtocolError, match="the name of a room has a lone surrogate"):
            await home.position("\ud800")
        with pytest.raises(LocalProtocolError, match="info is not what JSON can carry"):
            await home.enter("lobby", "m1", {"a": object()})


@pytest.mark.parametrize("option", ["deadline_s", "presence_ttl_s"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_times_are_checked(option: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=f"{option} takes a number above 0"):
        RedisHome(
            "redis://",
            deadline_s=seconds if option == "deadline_s" else 1.0,
            presence_ttl_s=seconds if option == "presence_ttl_s" else 1.0,
        )


@pytest.mark.parametrize("seed", range(3))
@in_loop
async def test_nodes_agree_whatever_is_cut(seed: int, server: RedisServer) -> None:
    """Each acknowledged publication is heard once, in the same place, by all nodes."""
    chance = random.Random(seed)
    async with nodes(server.url, 3) as homes:
        recorders = await subscribe_all(homes)
        tasks = [
            asyncio.create_task(publish_all(home, [f"{node} {number}" for number in range(60)]))
            for node, home in enumerate(homes)
        ]
        for share in (30, 60, 90, 120):
            await recorders[0].until_heard(share)
            match chance.choice(["crash", "pubsub", "normal"]):
                case "crash":
                    await server.crash()
                case kind:
                    server.cut_connections(kind)
        acknowledged = [
            (position.offset, f"{node} {number}")
            for node, task in enumerate(tasks)
            for number, position in enumerate(await task)
        ]
        for recorder in recorders:
            await recorder.until_heard(180)
            heard = [
                (publication.offset, publication.data) for publication in recorder.publications
            ]
            assert heard == sorted(acknowledged)
            assert [offset for offset, _ in heard] == list(range(1, 181))


async def subscribe_all(homes: list[RedisHome], room: str = "lobby") -> list[Recorder]:
    recorders = [Recorder() for _ in homes]
    for home, recorder in zip(homes, recorders, strict=True):
        await home.subscribe(room, recorder)
    return recorders


def ends_with(recorder: Recorder, data: str) -> bool:
    return recorder.data[-1] == data


async def publish_all(home: Home, data: list[str]) -> list[Position]:
    keep = HistoryLimits(messages=1000, ttl_s=60.0)
    return [await home.publish("lobby", Publication(each), keep=keep) for each in data]

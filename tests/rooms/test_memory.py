"""Rooms in one process: offsets and epochs, what is kept and for how long, and who is told."""

from __future__ import annotations

import asyncio

import pytest

from kit.rooms import ToldListener
from kit.virtual_time import run
from upwire.rooms.home import (
    IDEMPOTENCY_KEYS,
    IDEMPOTENCY_TTL_S,
    HistoryLimits,
    Home,
    Position,
    Publication,
)
from upwire.rooms.memory import MemoryHome

KEEP = HistoryLimits(messages=3, ttl_s=60)
NOTHING = HistoryLimits(messages=0)


async def fill(home: Home, count: int, keep: HistoryLimits = KEEP) -> Position:
    for i in range(count):
        await home.publish("room", Publication(str(i + 1)), keep=keep)
    return await home.position("room")


def test_publications_are_numbered_and_told() -> None:
    async def main() -> None:
        home = MemoryHome()
        await home.open()
        listener = ToldListener()
        start = await home.subscribe("room", listener)
        assert start.offset == 0
        position = await home.publish("room", Publication("a", "key", "me"), keep=KEEP)
        assert position == Position(start.epoch, 1)
        assert listener.told == [("published", Publication("a", "key", "me", 1), position)]
        await home.publish("other", Publication("b"), keep=KEEP)
        await home.unsubscribe("room")
        await home.publish("room", Publication("c"), keep=KEEP)
        assert len(listener.told) == 1
        await home.close()

    run(main())


def test_the_latest_are_kept() -> None:
    async def main() -> None:
        home = MemoryHome()
        position = await fill(home, 5)
        history = await home.history("room")
        assert [p.data for p in history.publications] == ["3", "4", "5"]
        assert [p.offset for p in history.publications] == [3, 4, 5]
        assert history.position == position
        assert not history.is_complete
        latest = await home.history("room", limit=2)
        assert [p.data for p in latest.publications] == ["4", "5"]
        assert not (await home.history("room", limit=0)).publications
        await home.close()

    run(main())


@pytest.mark.parametrize(
    ("since", "data", "is_complete"),
    [
        (5, [], True),
        (4, ["5"], True),
        (2, ["3", "4", "5"], True),
        (1, ["3", "4", "5"], False),  # one is gone
        (0, ["3", "4", "5"], False),
        (6, [], False),  # there was no such
        (-1, ["3", "4", "5"], False),
    ],
)
def test_what_was_missed_is_there_or_not(since: int, data: list[str], is_complete: bool) -> None:
    async def main() -> None:
        home = MemoryHome()
        position = await fill(home, 5)
        history = await home.history("room", since=Position(position.epoch, since))
        assert [p.data for p in history.publications] == data
        assert history.is_complete is is_complete
        await home.close()

    run(main())


def test_a_limit_behind_a_position_leaves_the_latest_out() -> None:
    async def main() -> None:
        home = MemoryHome()
        position = await fill(home, 5)
        since = Position(position.epoch, 2)
        history = await home.history("room", since=since, limit=2)
        assert [p.data for p in history.publications] == ["3", "4"]
        assert not history.is_complete
        assert (await home.history("room", since=since, limit=3)).is_complete
        await home.close()

    run(main())


def test_a_position_of_another_epoch_gives_what_is_kept() -> None:
    async def main() -> None:
        home = MemoryHome()
        await fill(home, 2)
        history = await home.history("room", since=Position("before", 1))
        assert [p.data for p in history.publications] == ["1", "2"]
        assert not history.is_complete
        await home.close()

    run(main())


def test_a_room_that_is_only_asked_for_is_not_kept() -> None:
    async def main() -> None:
        home = MemoryHome()
        position = await home.position("room")
        history = await home.history("room", since=position)
        assert history.is_complete
        assert history.position == position == Position(position.epoch, 0)
        assert await home.presence("room") == {}
        await home.leave("room", "nobody")
        await home.unsubscribe("room")
        assert not home._rooms

    run(main())


def test_publications_expire() -> None:
    async def main() -> None:
        home = MemoryHome()
        await home.subscribe("room", ToldListener())
        await fill(home, 1)
        await asyncio.sleep(40)
        position = await fill(home, 1)
        await asyncio.sleep(30)
        history = await home.history("room")
        assert [p.offset for p in history.publications] == [2]
        await asyncio.sleep(40)
        assert not (await home.history("room")).publications
        assert await home.position("room") == position
        since = await home.history("room", since=position)
        assert since.is_complete
        await home.close()

    run(main())


def test_an_unused_room_is_forgotten_with_its_history() -> None:
    async def main() -> None:
        home = MemoryHome()
        await home.enter("room", "me", {})
        before = await fill(home, 2)
        await home.leave("room", "me")
        await asyncio.sleep(59)
        assert (await home.position("room")) == before
        await asyncio.sleep(2)
        assert not home._rooms
        after = await fill(home, 1)
        assert after.offset == 1
        assert after.epoch != before.epoch
        await home.close()
        assert not home._rooms
        assert (await home.position("room")).epoch not in (before.epoch, after.epoch)

    run(main())


def test_a_room_that_keeps_nothing_is_forgotten_at_once() -> None:
    async def main() -> None:
        home = MemoryHome()
        await fill(home, 2, NOTHING)
        await fill(home, 2, HistoryLimits(ttl_s=0))
        assert not home._rooms
        await home.subscribe("room", ToldListener())
        assert (await fill(home, 2, NOTHING)).offset == 2
        await home.unsubscribe("room")
        assert not home._rooms

    run(main())


def test_a_repeated_publication_is_published_once() -> None:
    async def main() -> None:
        home, listener = MemoryHome(), ToldListener()
        await home.subscribe("room", listener)

        async def publish(data: str, key: str) -> Position:
            return await home.publish("room", Publication(data), keep=NOTHING, idempotency_key=key)

        first = await publish("a", "1")
        assert await publish("a", "1") == first
        assert (await publish("b", "2")).offset == 2
        assert await publish("a", "1") == first
        assert len(listener.told) == 2
        await asyncio.sleep(IDEMPOTENCY_TTL_S + 1)
        assert (await publish("a", "1")).offset == 3
        for i in range(IDEMPOTENCY_KEYS):
            await publish("c", f"c{i}")
        assert (await publish("a", "1")).offset == IDEMPOTENCY_KEYS + 4
        await home.close()

    run(main())


def test_members_are_there_until_they_leave() -> None:
    async def main() -> None:
        home, listener = MemoryHome(), ToldListener()
        await home.subscribe("room", listener)
        await home.enter("room", "me", {"name": "Ann"})
        await home.enter("room", "you", {})
        presence = await home.presence("room")
        assert presence == {"me": {"name": "Ann"}, "you": {}}
        await home.leave("room", "you")
        await home.leave("room", "you")
        assert await home.presence("room") == {"me": {"name": "Ann"}}
        assert presence.keys() == {"me", "you"}  # it was a copy
        assert listener.told == [
            ("joined", "me", {"name": "Ann"}),
            ("joined", "you", {}),
            ("left", "you"),
        ]
        await home.unsubscribe("room")
        await home.enter("room", "it", {})
        await home.leave("room", "it")
        await home.leave("room", "me")
        assert not home._rooms

    run(main())

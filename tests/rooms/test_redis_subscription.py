from __future__ import annotations

import asyncio

import pytest

from kit.check_home import Recorder
from kit.loop import in_loop
from upwire.errors import HomeUnreachable
from upwire.rooms.home import History, Position, Publication
from upwire.rooms.redis_octets import Joined, Left, Published
from upwire.rooms.redis_subscription import Subscription


def publication(offset: int, epoch: str = "e") -> Published:
    return Published(Position(epoch, offset), Publication(str(offset), offset=offset))


def history(offset: int, *offsets: int, is_complete: bool = True, epoch: str = "e") -> History:
    publications = tuple(Publication(str(number), offset=number) for number in offsets)
    return History(Position(epoch, offset), publications, is_complete)


async def collected(offset: int) -> tuple[Subscription, Recorder]:
    """Return a subscription whose subscriber knows its position."""
    recorder = Recorder()
    subscription = Subscription("lobby", recorder)
    subscription.catch_up(history(offset))
    assert await subscription.collect() == Position("e", offset)
    return subscription, recorder


@in_loop
async def test_each_offset_is_told_once() -> None:
    subscription, recorder = await collected(2)

    assert [subscription.take(publication(offset)) for offset in (1, 2, 3, 3, 4)] == [True] * 5
    assert recorder.data == ["3", "4"]
    assert subscription.position == Position("e", 4)


@in_loop
async def test_a_gap_and_another_epoch_are_not_told() -> None:
    subscription, recorder = await collected(2)

    assert not subscription.take(publication(4))
    assert not subscription.take(publication(3, "f"))
    assert recorder.events == []


@in_loop
async def test_a_gap_is_filled_in_order() -> None:
    subscription, recorder = await collected(2)
    subscription.catch_up(history(4, 3, 4))

    assert recorder.words() == ["published", "published"]
    assert subscription.take(publication(4))
    assert recorder.data == ["3", "4"]


@in_loop
async def test_a_gap_that_stays_is_told() -> None:
    subscription, recorder = await collected(2)
    lost = history(9, 8, 9, is_complete=False)
    subscription.catch_up(lost)

    assert recorder.events == [("resumed", lost)]
    assert subscription.position == Position("e", 9)


@in_loop
async def test_an_interruption_is_told_once_and_ended() -> None:
    subscription, recorder = await collected(2)
    subscription.interrupt()
    subscription.interrupt()
    assert subscription.take(publication(3))  # the log will say
    subscription.catch_up(history(3, 3))
    subscription.take(publication(4))

    assert recorder.words() == ["interrupted", "resumed", "published"]
    assert recorder.data == ["3", "4"]


@in_loop
async def test_the_subscriber_is_owed_only_what_follows_its_position() -> None:
    recorder = Recorder()
    subscription = Subscription("lobby", recorder)
    waiting = asyncio.create_task(subscription.collect())
    assert subscription.take(publication(1))
    subscription.catch_up(history(1))
    subscription.take(publication(2))
    subscription.take(Joined("m", {}))
    subscription.take(Left("m"))

    assert await waiting == Position("e", 2)
    subscription.take(publication(3))
    assert recorder.data == ["3"]


@in_loop
async def test_a_subscriber_that_is_interrupted_before_it_knows_waits_on() -> None:
    recorder = Recorder()
    subscription = Subscription("lobby", recorder)
    waiting = asyncio.create_task(subscription.collect())
    await asyncio.sleep(0)
    subscription.catch_up(history(1))
    subscription.interrupt()
    await asyncio.sleep(0)
    assert not waiting.done()
    subscription.catch_up(history(5, epoch="f"))

    assert await waiting == Position("f", 5)
    assert recorder.events == []


@in_loop
async def test_who_waits_for_a_log_that_is_refused_is_told_so() -> None:
    subscription = Subscription("lobby", Recorder())
    waiting = asyncio.create_task(subscription.collect())
    await asyncio.sleep(0)
    subscription.refuse(HomeUnreachable("no"))
    with pytest.raises(HomeUnreachable, match="no"):
        await waiting


@in_loop
async def test_a_log_that_is_refused_interrupts_until_it_is_read() -> None:
    subscription, recorder = await collected(2)
    subscription.refuse(HomeUnreachable("no"))
    subscription.refuse(HomeUnreachable("no"))
    assert subscription.take(publication(3))
    assert subscription.is_stale
    subscription.catch_up(history(3, 3))

    assert not subscription.is_stale
    assert recorder.events == [("interrupted", None), ("resumed", history(3, 3))]


@in_loop
async def test_events_are_told_while_the_connection_is_there() -> None:
    subscription, recorder = await collected(0)
    subscription.take(Joined("m", {"a": 1}))
    subscription.take(Left("m"))
    subscription.interrupt()
    subscription.take(Left("n"))

    assert recorder.events == [("joined", ("m", {"a": 1})), ("left", "m"), ("interrupted", None)]


@in_loop
async def test_nothing_is_told_after_the_end() -> None:
    subscription, recorder = await collected(0)
    subscription.drop()
    subscription.take(publication(1))
    subscription.interrupt()
    subscription.catch_up(history(3, 1, 2, 3))

    assert recorder.events == []

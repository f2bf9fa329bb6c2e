"""What every home of rooms does, whatever it stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from upwire.rooms.home import (
    History,
    HistoryLimits,
    Home,
    Info,
    Position,
    Publication,
)

Check = Callable[[Home], Awaitable[None]]
Event = tuple[str, object]
T = TypeVar("T")

DEADLINE_S = 10.0
KEEP = HistoryLimits(messages=100, ttl_s=60.0)


class Recorder:
    """A listener that notes what it is told, as pairs of a word and a value."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._has_news = asyncio.Event()

    def published(self, publication: Publication, position: Position) -> None:
        assert publication.offset == position.offset
        self._note("published", publication)

    def joined(self, member_id: str, info: Info) -> None:
        self._note("joined", (member_id, dict(info)))

    def left(self, member_id: str) -> None:
        self._note("left", member_id)

    def interrupted(self) -> None:
        self._note("interrupted", None)

    def resumed(self, history: History) -> None:
        self._note("resumed", history)

    @property
    def publications(self) -> list[Publication]:
        """What it was told of, by whichever way, in that order."""
        told: list[Publication] = []
        for _, value in self.events:
            match value:
                case Publication():
                    told.append(value)
                case History():
                    told.extend(value.publications)
        return told

    @property
    def data(self) -> list[str | bytes]:
        return [publication.data for publication in self.publications]

    def words(self) -> list[str]:
        return [word for word, _ in self.events]

    async def until(self, is_there: Callable[[], T]) -> T:
        """Wait until what was told fulfils a condition."""
        async with asyncio.timeout(DEADLINE_S):
            while not (found := is_there()):
                self._has_news.clear()
                await self._has_news.wait()
        return found

    async def until_told(self, word: str, times: int = 1) -> None:
        await self.until(lambda: self.words().count(word) >= times)

    async def until_heard(self, number: int) -> None:
        """Wait until so many publications were told of."""
        await self.until(lambda: len(self.publications) >= number)

    def _note(self, word: str, value: object) -> None:
        self.events.append((word, value))
        self._has_news.set()


async def run_check(check: Check, home: Home) -> None:
    """Check a home within a deadline, and close it."""
    async with asyncio.timeout(4 * DEADLINE_S):
        await home.open()
        try:
            await check(home)
        finally:
            await home.close()
            await home.close()  # a second time does nothing


def name_of(check: Check) -> str:
    """Return what a check is called in the list of tests."""
    return getattr(check, "__name__", "").removeprefix("check_")


async def publish(home: Home, data: str | bytes, *, room: str = "lobby") -> Position:
    return await home.publish(room, Publication(data), keep=KEEP)


async def check_offsets_count_from_1_in_one_epoch(home: Home) -> None:
    start = await home.position("lobby")
    positions = [await publish(home, str(number)) for number in range(3)]

    assert start.offset == 0
    assert positions == [Position(start.epoch, offset) for offset in (1, 2, 3)]
    assert await home.position("lobby") == positions[-1]


async def check_a_room_counts_apart_from_others(home: Home) -> None:
    await publish(home, "here")

    assert (await home.position("elsewhere")).offset == 0


async def check_the_listener_is_told_in_order(home: Home) -> None:
    await publish(home, "before")
    recorder = Recorder()
    position = await home.subscribe("lobby", recorder)
    last = [await publish(home, str(number)) for number in range(20)][-1]

    await recorder.until_told("published", 20)

    assert position.offset == 1
    assert recorder.data == [str(number) for number in range(20)]
    assert recorder.publications[-1].offset == last.offset == 21


async def check_a_publication_arrives_as_it_was(home: Home) -> None:
    recorder = Recorder()
    await home.subscribe("lobby", recorder)
    sent = [
        Publication("tëxt\n\0", key="k\n", publisher="p \0"),
        Publication(b"\0\xff\n{}", key="", publisher=""),
        Publication(""),
        Publication(b""),
    ]
    for publication in sent:
        await home.publish("lobby", publication, keep=KEEP)

    await recorder.until_told("published", len(sent))

    whole = [
        Publication(publication.data, publication.key, publication.publisher, offset)
        for offset, publication in enumerate(sent, 1)
    ]
    assert recorder.publications == whole
    assert list((await home.history("lobby")).publications) == whole


async def check_nothing_comes_after_unsubscribing(home: Home) -> None:
    recorder, other = Recorder(), Recorder()
    await home.subscribe("lobby", recorder)
    await home.subscribe("other", other)
    await home.unsubscribe("lobby")
    await home.unsubscribe("lobby")  # without a listener it does nothing

    await publish(home, "unheard")
    await publish(home, "heard", room="other")
    await other.until_told("published")

    assert recorder.events == []


async def check_a_listener_may_come_back(home: Home) -> None:
    for number in (1, 2, 3):
        recorder = Recorder()
        assert (await home.subscribe("lobby", recorder)).offset == number - 1
        await publish(home, str(number))
        await recorder.until_told("published")
        await home.unsubscribe("lobby")
        assert recorder.data == [str(number)]


async def check_history_has_what_is_behind_a_position(home: Home) -> None:
    positions = [await publish(home, str(number)) for number in range(1, 6)]

    behind = await home.history("lobby", since=positions[1])
    nothing = await home.history("lobby", since=positions[4])
    everything = await home.history("lobby")

    assert [publication.data for publication in behind.publications] == ["3", "4", "5"]
    assert (behind.position, behind.is_complete) == (positions[4], True)
    assert nothing == History(positions[4], (), is_complete=True)
    assert [publication.offset for publication in everything.publications] == [1, 2, 3, 4, 5]
    assert everything.is_complete


async def check_a_limit_takes_the_oldest_behind_a_position(home: Home) -> None:
    first = await publish(home, "1")
    for number in range(2, 6):
        await publish(home, str(number))

    behind = await home.history("lobby", since=first, limit=2)
    latest = await home.history("lobby", limit=2)
    none = await home.history("lobby", limit=0)

    assert [publication.data for publication in behind.publications] == ["2", "3"]
    assert [publication.data for publication in latest.publications] == ["4", "5"]
    assert none.publications == ()
    assert [behind.is_complete, latest.is_complete, none.is_complete] == [False] * 3
    assert behind.position == latest.position == none.position == Position(first.epoch, 5)


async def check_only_the_latest_messages_are_kept(home: Home) -> None:
    keep = HistoryLimits(messages=2, ttl_s=60.0)
    positions = [
        await home.publish("lobby", Publication(str(number)), keep=keep) for number in range(1, 6)
    ]

    history = await home.history("lobby", since=positions[0])

    assert [publication.data for publication in history.publications] == ["4", "5"]
    assert not history.is_complete
    assert (await home.history("lobby", since=positions[2])).is_complete
    assert not (await home.history("lobby")).is_complete


async def check_a_room_may_keep_nothing(home: Home) -> None:
    recorder = Recorder()
    await home.subscribe("lobby", recorder)
    keep = HistoryLimits(messages=0, ttl_s=60.0)
    for number in (1, 2):
        await home.publish("lobby", Publication(str(number)), keep=keep)
    await recorder.until_told("published", 2)

    history = await home.history("lobby")

    assert (history.publications, history.position.offset) == ((), 2)
    assert not history.is_complete


async def check_a_position_of_another_epoch_is_not_completed(home: Home) -> None:
    position = await publish(home, "1")

    other = await home.history("lobby", since=Position("another", 0))
    ahead = await home.history("lobby", since=Position(position.epoch, 9))

    assert (other.is_complete, other.publications) == (
        False,
        (Publication("1", offset=1),),
    )
    assert (ahead.is_complete, ahead.publications) == (False, ())
    assert other.position == ahead.position == position


async def check_a_position_that_none_can_be_is_not_completed(home: Home) -> None:
    position = await publish(home, "1")
    for epoch, offset in (
        *((position.epoch, offset) for offset in (-1, 2, 2**53, 2**63, 2**64, 10**30)),
        *((epoch, 1) for epoch in ("", " ", "\0", "\ud800", "e" * 10_000)),
    ):
        history = await home.history("lobby", since=Position(epoch, offset), limit=10)
        assert history.position == position
        assert not history.is_complete
    assert (await publish(home, "2")).offset == 2


async def check_any_text_is_an_idempotency_key(home: Home) -> None:
    for offset, key in enumerate((" ", "\0", "\ud800", "{", "k" * 10_000), 1):
        for _ in range(2):
            position = await home.publish("lobby", Publication("x"), keep=KEEP, idempotency_key=key)
            assert position.offset == offset


async def check_who_enters_and_leaves_at_once_is_gone(home: Home) -> None:
    await asyncio.gather(home.enter("lobby", "m1", {}), home.leave("lobby", "m1"))
    assert await home.presence("lobby") == {}
    await home.enter("lobby", "m1", {})
    await asyncio.gather(home.leave("lobby", "m1"), home.enter("lobby", "m1", {"a": 1}))
    assert await home.presence("lobby") == {"m1": {"a": 1}}


async def check_an_idempotency_key_publishes_once(home: Home) -> None:
    recorder = Recorder()
    await home.subscribe("lobby", recorder)

    async def publish_as(data: str, key: str, room: str = "lobby") -> Position:
        return await home.publish(room, Publication(data), keep=KEEP, idempotency_key=key)

    first = await publish_as("first", "a")
    again = await publish_as("again", "a")
    second = await publish_as("second", "b")
    elsewhere = await publish_as("elsewhere", "a", room="other")
    await recorder.until_told("published", 2)

    assert again == first
    assert (first.offset, second.offset, elsewhere.offset) == (1, 2, 1)
    assert recorder.data == ["first", "second"]


async def check_members_are_told_of_and_shown(home: Home) -> None:
    recorder = Recorder()
    await home.subscribe("lobby", recorder)
    await home.enter("lobby", "m1", {"name": "Ann", "tags": ["x", 1, None]})
    await home.enter("lobby", "m2", {})
    await home.leave("lobby", "m1")
    await home.leave("lobby", "m1")  # who is not there cannot leave
    await home.leave("nowhere", "m1")
    await recorder.until_told("left")

    assert recorder.events == [
        ("joined", ("m1", {"name": "Ann", "tags": ["x", 1, None]})),
        ("joined", ("m2", {})),
        ("left", "m1"),
    ]
    assert await home.presence("lobby") == {"m2": {}}
    assert await home.presence("nowhere") == {}


async def check_info_is_replaced(home: Home) -> None:
    recorder = Recorder()
    await home.subscribe("lobby", recorder)
    await home.enter("lobby", "m1", {"state": "here"})
    await home.enter("lobby", "m1", {"state": "away"})

    await recorder.until_told("joined", 2)
    assert recorder.events[-1] == ("joined", ("m1", {"state": "away"}))
    assert await home.presence("lobby") == {"m1": {"state": "away"}}


async def check_events_have_no_offset(home: Home) -> None:
    await home.enter("lobby", "m1", {})
    await home.leave("lobby", "m1")

    assert (await home.position("lobby")).offset == 0
    assert (await home.history("lobby")).publications == ()


async def check_any_name_is_a_room_of_its_own(home: Home) -> None:
    names = ["a", "{a}", "}", "a}", "{", "{}", "a:log", "%7D", "*", "[ab]", "ä", "\n", "a b", "0"]
    recorders = {name: Recorder() for name in names}
    for name, recorder in recorders.items():
        await home.subscribe(name, recorder)
        await home.enter(name, "m", {"in": name})
        await publish(home, name, room=name)

    for name, recorder in recorders.items():
        await recorder.until_told("published")
        assert recorder.data == [name]
        assert await home.presence(name) == {"m": {"in": name}}


async def check_concurrent_publications_are_numbered_apart(home: Home) -> None:
    recorder = Recorder()
    await home.subscribe("lobby", recorder)
    positions = await asyncio.gather(*(publish(home, str(number)) for number in range(40)))
    await recorder.until_told("published", 40)

    assert sorted(position.offset for position in positions) == list(range(1, 41))
    assert [publication.offset for publication in recorder.publications] == list(range(1, 41))


async def check_a_subscriber_that_gives_up_hears_nothing(home: Home) -> None:
    recorder, other = Recorder(), Recorder()
    waiting = asyncio.create_task(home.subscribe("lobby", recorder))
    await asyncio.sleep(0)
    waiting.cancel()
    outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
    if not isinstance(outcome, asyncio.CancelledError):
        await home.unsubscribe("lobby")  # it was done before
    await publish(home, "unheard")
    await home.subscribe("lobby", other)
    await publish(home, "heard")
    await other.until_told("published")

    assert recorder.events == []
    assert other.data == ["heard"]


CHECKS: tuple[Check, ...] = tuple(
    value for name, value in list(globals().items()) if name.startswith("check_")
)

"""All rooms of a node: names, limits, what has no member, metrics and the end."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from dataclasses import asdict

import pytest

from kit.rooms import GatedHome, Guest
from kit.virtual_time import run, settle
from upwire.errors import HomeUnreachable, LocalProtocolError, RoomRefused
from upwire.rooms.home import HistoryLimits, Position
from upwire.rooms.limits import RoomLimits
from upwire.rooms.metrics import RoomsMetrics
from upwire.rooms.rooms import Rooms

JOINS = int(os.environ.get("UPWIRE_JOINS", "30000"))


async def refuses(what: object) -> str:
    assert asyncio.iscoroutine(what)
    with pytest.raises(RoomRefused) as raised:
        await what
    return raised.value.reason


def test_whoever_is_no_member_publishes_and_reads() -> None:
    async def main() -> None:
        guest = Guest()
        async with Rooms() as rooms:
            first = await rooms.publish("lobby", "1", idempotency_key="a")
            assert await rooms.publish("lobby", "1", idempotency_key="a") == first
            async with rooms.join("lobby", guest.ws):
                await rooms.publish("lobby", b"2", key="k")
                await settle()
                assert guest.received == [b"2"]
                assert await rooms.presence("lobby") == {guest.ws.id: {}}
            history = await rooms.history("lobby", 1)
            assert [(p.data, p.key, p.publisher) for p in history.publications] == [(b"2", "k", "")]
            assert (await rooms.history("lobby", since=first)).is_complete

    run(main())


@pytest.mark.parametrize("name", ["", "a\n", "\0", "\ud800", "a" * 2**20])
def test_hostile_names_are_refused_everywhere(name: str) -> None:
    async def main() -> None:
        async with Rooms() as rooms:
            assert await refuses(rooms.join(name, Guest().ws).enter()) == "name"
            assert await refuses(rooms.publish(name, "x")) == "name"
            assert await refuses(rooms.presence(name)) == "name"
            assert await refuses(rooms.history(name)) == "name"
            assert rooms.metrics().rooms == 0

    run(main())


@pytest.mark.parametrize("name", ["__proto__", "*", "[a-z]?", "{lobby}", "a b", "%s", "../x"])
def test_no_name_means_anything_else(name: str) -> None:
    async def main() -> None:
        here, there = Guest(), Guest()
        async with Rooms() as rooms, rooms.join(name, here.ws), rooms.join("a", there.ws):
            await rooms.publish(name, "x")
            await settle()
            assert here.received == ["x"]
            assert there.received == []

    run(main())


def test_messages_are_checked_before_they_are_published() -> None:
    async def main() -> None:
        async with Rooms(limits=RoomLimits(message_octets=4)) as rooms:
            assert await refuses(rooms.publish("lobby", "12345")) == "size"
            with pytest.raises(LocalProtocolError):
                await rooms.publish("lobby", "\ud800")
            with pytest.raises(LocalProtocolError, match="limit must be 0 or more, not -1"):
                await rooms.history("lobby", -1)
            assert (await rooms.history("lobby")).position.offset == 0
            assert rooms.metrics().published == 0

    run(main())


def test_limits_may_differ_by_room() -> None:
    async def main() -> None:
        def limits_of(name: str) -> RoomLimits:
            return RoomLimits(members=1 if name == "small" else None)

        async with Rooms(limits=limits_of) as rooms, rooms.join("small", Guest().ws):
            assert await refuses(rooms.join("small", Guest().ws).enter()) == "limit"
            await rooms.publish("small", "x")
            async with rooms.join("big", Guest().ws), rooms.join("big", Guest().ws):
                await rooms.publish("big", "x")

    run(main())


def test_a_websocket_is_in_so_many_rooms() -> None:
    async def main() -> None:
        guest = Guest()
        async with Rooms(rooms_per_member=2) as rooms:
            async with rooms.join("a", guest.ws), rooms.join("b", guest.ws):
                assert await refuses(rooms.join("c", guest.ws).enter()) == "limit"
                async with rooms.join("c", Guest().ws):
                    pass
            async with rooms.join("c", guest.ws):
                pass
        async with Rooms(rooms_per_member=None) as rooms, rooms.join("a", guest.ws):
            pass

    run(main())


def test_the_home_is_opened_once() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms = Rooms(home)
        gate = home.hold("open")
        publishing = [asyncio.create_task(rooms.publish("lobby", "x")) for _ in range(3)]
        await settle()
        gate.set()
        await asyncio.gather(*publishing)
        assert home.calls.count("open") == 1
        await rooms.close()
        await rooms.close()
        assert home.calls.count("close") == 1

    run(main())


def test_a_home_that_does_not_open_is_tried_again() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms = Rooms(home)
        home.fail("open", HomeUnreachable("no"))
        with pytest.raises(HomeUnreachable):
            await rooms.open()
        home.fail("open", None)
        await rooms.publish("lobby", "x")
        await rooms.close()

    run(main())


def test_the_end_leaves_all_rooms_and_closes_nobody() -> None:
    async def main() -> None:
        rooms, guest, slow = Rooms(), Guest(), Guest()
        async with rooms.join("a", guest.ws) as room, rooms.join("a", slow.ws):
            slow.stop_reading()
            await room.publish("x")
            await rooms.close()
            assert rooms.metrics().members == 0
            assert await refuses(room.publish("y")) == "closed"
            assert await refuses(rooms.join("a", guest.ws).enter()) == "closed"
            assert await refuses(rooms.history("a")) == "closed"
            await guest.ws.send("still here")
            await settle()
            assert guest.received == ["x", "still here"]

    run(main())


def test_the_end_waits_for_those_who_leave() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms, guest = Rooms(home), Guest()
        room = rooms.join("a", guest.ws)
        await room.enter()
        gate = home.hold("leave")
        leaving = asyncio.create_task(room.leave())
        await settle()
        closing = asyncio.create_task(rooms.close())
        await settle()
        assert "close" not in home.calls
        gate.set()
        await asyncio.gather(leaving, closing)
        assert home.calls[-1] == "close"

    run(main())


def test_the_end_waits_for_a_home_that_is_being_opened() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms = Rooms(home)
        gate = home.hold("open")
        opening = asyncio.create_task(rooms.open())
        second = asyncio.create_task(rooms.open())
        await settle()
        closing = asyncio.create_task(rooms.close())
        await settle()
        gate.set()
        await opening
        with pytest.raises(RoomRefused):
            await second
        await closing
        assert home.calls == ["open", "close"]

    run(main())


def test_metrics_are_a_snapshot() -> None:
    async def main() -> None:
        guest, slow = Guest(), Guest()
        async with Rooms() as rooms:
            async with rooms.join("a", guest.ws), rooms.join("a", slow.ws):
                slow.stop_reading()
                await rooms.publish("a", "x")
                before = rooms.metrics()
                await rooms.publish("a", "y")
            assert before == RoomsMetrics(
                rooms=1,
                members=2,
                slow_members=1,
                waiting_messages=1,
                published=1,
                delivered=1,
                dropped_oldest=0,
                replaced_by_key=0,
                closed_slow=0,
                encoder_failures=0,
                recovered=0,
                not_recovered=0,
                interruptions=0,
            )
            after = asdict(rooms.metrics())
            assert (after["rooms"], after["members"], after["delivered"]) == (0, 0, 2)

    run(main())


def test_memory_comes_back_after_many_joins() -> None:
    """Each join is to a room of its own; `make rooms-test` has a million of them."""

    async def main() -> None:
        guests = [Guest() for _ in range(10)]
        rooms = Rooms(limits=RoomLimits(history=HistoryLimits(messages=0)))

        async def join(count: int) -> None:
            for i in range(count):
                guest = guests[i % len(guests)]
                async with rooms.join(f"room {i}", guest.ws, since=Position("e", 0)):
                    pass

        await join(100)
        gc.collect()
        before = sys.getallocatedblocks()
        await join(JOINS)
        gc.collect()
        assert sys.getallocatedblocks() - before < JOINS // 20
        assert rooms.metrics().rooms == rooms.metrics().members == 0
        await rooms.close()

    run(main())

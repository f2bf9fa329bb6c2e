"""What rooms have in common: checks, the home's opening and end, joins and their memory."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

import pytest

from kit.rooms import GatedHome, Guest
from kit.virtual_time import run, settle
from upwire.errors import HomeUnreachable, LocalProtocolError, RoomRefused
from upwire.rooms.home import HistoryLimits, Position
from upwire.rooms.limits import RoomLimits
from upwire.rooms.rooms import Rooms

JOINS = int(os.environ.get("UPWIRE_JOINS", "10000"))


async def refuses(what: object) -> str:
    assert asyncio.iscoroutine(what)
    with pytest.raises(RoomRefused) as raised:
        await what
    return raised.value.reason


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


def test_those_who_come_back_are_counted() -> None:
    async def main() -> None:
        async with Rooms() as rooms:
            since = await rooms.publish("lobby", "x")
            for position in (since, Position("before", 1), since):
                async with rooms.join("lobby", Guest().ws, since=position):
                    pass
            metrics = rooms.metrics()
            assert (metrics.recovered, metrics.not_recovered) == (2, 1)

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

    run(main())


def test_a_home_that_does_not_open_fails_once_for_all_who_wait() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms = Rooms(home)
        home.fail("open", HomeUnreachable("no"))
        gate = home.hold("open")
        publishing = [asyncio.create_task(rooms.publish("lobby", "x")) for _ in range(3)]
        await settle()
        gate.set()
        for result in await asyncio.gather(*publishing, return_exceptions=True):
            assert isinstance(result, HomeUnreachable)
        assert home.calls == ["open"]
        await rooms.close()

    run(main())


def test_an_end_that_was_cancelled_is_made_up_for() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms = Rooms(home)
        await rooms.join("a", Guest().ws).enter()
        gate = home.hold("close")
        closing = asyncio.create_task(rooms.close())
        await settle()
        closing.cancel()
        await settle()
        gate.set()
        assert home._rooms
        await rooms.close()
        assert not home._rooms
        await rooms.close()

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

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from kit import virtual_time
from kit.tab import Tab, open_tab
from upwire.demo.broadcast import Broadcast
from upwire.rooms import RoomLimits, Rooms


class Clock:
    """Publishes a number each second; runs: how often that began. has_ended: and ended."""

    def __init__(self) -> None:
        self.runs = 0
        self.has_ended = False

    async def __call__(self, rooms: Rooms) -> None:
        self.runs += 1
        try:
            for number in count():
                await asyncio.sleep(1)
                await rooms.publish("clock", str(number))
        finally:
            self.has_ended = True


async def next_number(tab: Tab) -> int:
    number: int = (await tab.push("publication"))["data"]
    return number


def test_it_publishes_once_for_all_and_only_while_somebody_looks() -> None:
    async def main() -> None:
        clock = Clock()
        serve = Broadcast("clock", clock, limits=RoomLimits()).serve
        async with open_tab(serve) as first, open_tab(serve) as second:
            for tab in (first, second):
                await tab.ask("join", room="clock")
            assert await next_number(first) == await next_number(second) == 0
            await second.ws.close()
            assert await next_number(first) == 1
            assert not clock.has_ended
        assert clock.has_ended
        assert clock.runs == 1
        async with open_tab(serve) as third:
            await third.ask("join", room="clock", history=10)
            assert await next_number(third) == 0
        assert clock.runs == 2

    virtual_time.run(main())


def test_pages_only_read_the_one_room() -> None:
    async def main() -> None:
        async with open_tab(Broadcast("clock", Clock(), limits=RoomLimits()).serve) as tab:
            assert tab.welcome["request"]["start"] == "GET /ws HTTP/1.1"
            assert await tab.refused("join", room="other") == "forbidden"
            assert await tab.refused("join", room="clock", presence=True) == "forbidden"
            await tab.ask("join", room="clock")
            assert await tab.refused("publish", room="clock", data=1) == "forbidden"

    virtual_time.run(main())


def test_a_failure_to_publish_ends_the_pages() -> None:
    async def fail(rooms: Rooms) -> None:
        await asyncio.sleep(1)
        raise ValueError("no clock")

    async def main() -> None:
        broadcast = Broadcast("clock", fail, limits=RoomLimits())
        with pytest.raises(ValueError, match="no clock"):
            async with open_tab(broadcast.serve) as tab:
                await tab.ws.wait_closed()

    virtual_time.run(main())

"""What a node offers: rooms of any name, whoever is no member, metrics and the end."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import pytest

from kit.rooms import Guest
from kit.virtual_time import run, settle
from upwire.errors import RoomRefused
from upwire.rooms.limits import RoomLimits
from upwire.rooms.metrics import RoomsMetrics
from upwire.rooms.rooms import Rooms


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

"""A member's place in a room, from entering to leaving, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kit.rooms import GatedHome, Guest
from kit.virtual_time import run, settle
from upwire.errors import HomeUnreachable, RoomRefused
from upwire.net.websocket import WebSocket
from upwire.rooms.home import HistoryLimits, Info, Position
from upwire.rooms.limits import OutboxLimits, RoomLimits
from upwire.rooms.permissions import Action
from upwire.rooms.rooms import Rooms


async def refused(what: Awaitable[object]) -> str:
    with pytest.raises(RoomRefused) as raised:
        await what
    return raised.value.reason


def test_a_member_shows_another_info() -> None:
    async def main() -> None:
        asked: list[Info] = []

        def may(action: Action, room: str, ws: WebSocket, info: Info) -> bool:
            asked.append(info)
            return True

        rooms, guest = Rooms(may=may), Guest()
        room = rooms.join("lobby", guest.ws, info={"name": "Ann"})
        assert await refused(room.update({})) == "closed"
        async with room:
            await room.update({"name": "Bob"})
            assert await room.presence() == {guest.ws.id: {"name": "Bob"}}
            assert asked[-1] == room.info == {"name": "Bob"}
        await rooms.close()

    run(main())


def test_what_is_published_comes_to_all_members() -> None:
    async def main() -> None:
        rooms, ann, bob = Rooms(), Guest(), Guest()
        async with rooms.join("lobby", ann.ws, info={"name": "Ann"}) as room:
            async with rooms.join("lobby", bob.ws) as other:
                assert room.member_id == ann.ws.id
                assert room.info == {"name": "Ann"}
                assert await room.presence() == {ann.ws.id: {"name": "Ann"}, bob.ws.id: {}}
                position = await room.publish("hello")
                await other.publish(b"\x00", key="k")
                await settle()
                assert ann.received == bob.received == ["hello", b"\x00"]
            await room.publish("again")
            await settle()
            assert bob.received == ["hello", b"\x00"]
            assert await room.presence() == {ann.ws.id: {"name": "Ann"}}
            history = await room.history(2, since=position)
            assert [(p.data, p.key, p.publisher) for p in history.publications] == [
                (b"\x00", "k", bob.ws.id),
                ("again", "", ann.ws.id),
            ]
        assert not rooms._node._local
        assert not rooms._node._joins
        await rooms.close()

    run(main())


def test_who_comes_back_gets_what_it_missed() -> None:
    async def main() -> None:
        rooms, first, second = Rooms(), Guest(), Guest()
        async with rooms.join("lobby", first.ws) as room:
            assert room.recovered is None
            since = await room.publish("1")
        await rooms.publish("lobby", "2")
        await rooms.publish("lobby", "3")
        async with rooms.join("lobby", second.ws, since=since) as room:
            assert room.recovered is True
            assert room.position == since
            await room.publish("4")
            await settle()
            assert second.received == ["2", "3", "4"]
        assert rooms.metrics().recovered == 1
        await rooms.close()

    run(main())


@pytest.mark.parametrize(
    ("epoch", "offset"), [("", 1), ("", 999), ("before", 3), ("", -1), ("\ud800", 0)]
)
def test_who_comes_back_too_late_is_told(epoch: str, offset: int) -> None:
    async def main() -> None:
        rooms = Rooms(limits=RoomLimits(history=HistoryLimits(messages=2)))
        guest = Guest()
        for i in range(4):
            latest = await rooms.publish("lobby", str(i))
        since = Position(epoch or latest.epoch, offset)
        async with rooms.join("lobby", guest.ws, since=since) as room:
            assert room.recovered is False
            assert room.position == latest
            await room.publish("new")
            await settle()
            assert guest.received == ["new"]
        assert rooms.metrics().not_recovered == 1
        await rooms.close()

    run(main())


def test_more_than_may_be_recovered_is_not() -> None:
    async def main() -> None:
        rooms = Rooms(limits=RoomLimits(recovery_messages=2))
        latest = [await rooms.publish("lobby", str(i)) for i in range(4)]
        for since, recovered in ((latest[1], True), (latest[0], False)):
            async with rooms.join("lobby", Guest().ws, since=since) as room:
                assert room.recovered is recovered
        await rooms.close()

    run(main())


def test_nothing_is_lost_or_doubled_while_the_history_is_read() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms, guest = Rooms(home), Guest()
        since = await rooms.publish("lobby", "1")
        await rooms.publish("lobby", "2")
        gate = home.hold("history")
        room = rooms.join("lobby", guest.ws, since=since)
        entering = asyncio.create_task(room.enter())
        await settle()
        await rooms.publish("lobby", "3")
        gate.set()
        await entering
        await rooms.publish("lobby", "4")
        await settle()
        assert guest.received == []  # it is held
        await guest.ws.send("you are in")
        room.start()
        await settle()
        assert guest.received == ["you are in", "2", "3", "4"]
        await room.leave()
        await rooms.close()

    run(main())


def test_a_room_is_entered_once() -> None:
    async def main() -> None:
        rooms, guest = Rooms(), Guest()
        room = rooms.join("lobby", guest.ws)
        assert await refused(room.publish("early")) == "closed"
        async with room:
            assert await refused(room.enter()) == "joined"
            assert await refused(rooms.join("lobby", guest.ws).enter()) == "joined"
            assert guest.ws.id in await room.presence()
        assert await refused(room.publish("late")) == "closed"
        assert await refused(room.presence()) == "closed"
        assert await refused(room.history()) == "closed"
        assert await refused(room.enter()) == "joined"
        room.start()
        await room.leave()
        async with rooms.join("lobby", guest.ws):
            pass
        assert not rooms._node._local
        await rooms.close()

    run(main())


def test_permissions_are_asked_for_each_action() -> None:
    async def main() -> None:
        allowed = {Action.JOIN}

        def may(action: Action, room: str, ws: WebSocket, info: Info) -> bool:
            return action in allowed

        rooms, guest = Rooms(may=may), Guest()
        async with rooms.join("lobby", guest.ws) as room:
            for action, ask in (
                (Action.PUBLISH, lambda: room.publish("x")),
                (Action.PRESENCE, room.presence),
                (Action.HISTORY, room.history),
            ):
                call: Callable[[], Awaitable[object]] = ask
                assert await refused(call()) == "permission"
                allowed.add(action)
                await call()
        allowed.remove(Action.JOIN)
        assert await refused(rooms.join("lobby", guest.ws).enter()) == "permission"
        assert not rooms._node._local
        await rooms.close()

    run(main())


def test_a_permission_that_fails_lets_nobody_in() -> None:
    async def main() -> None:
        def may(action: Action, room: str, ws: WebSocket, info: Info) -> bool:
            raise KeyError(room)

        rooms = Rooms(may=may)
        with pytest.raises(KeyError):
            await rooms.join("lobby", Guest().ws).enter()
        assert not rooms._node._local
        assert not rooms._node._joins
        await rooms.close()

    run(main())


def test_a_member_publishes_no_faster_than_allowed() -> None:
    async def main() -> None:
        rooms = Rooms(limits=RoomLimits(publishes_per_s=2, publish_burst=2))
        async with (
            rooms.join("lobby", Guest().ws) as room,
            rooms.join("lobby", Guest().ws) as other,
        ):
            await room.publish("1")
            await room.publish("2")
            assert await refused(room.publish("3")) == "rate"
            await other.publish("3")
            await asyncio.sleep(0.5)
            await room.publish("4")
            assert await refused(room.publish("5")) == "rate"
        await rooms.close()

    run(main())


def test_a_websocket_that_is_closed_joins_nothing() -> None:
    async def main() -> None:
        home = GatedHome()
        rooms, early, late = Rooms(home), Guest(), Guest()
        await early.vanish()
        assert await refused(rooms.join("lobby", early.ws).enter()) == "closed"
        assert home.calls == []
        gate = home.hold("enter")
        entering = asyncio.create_task(rooms.join("lobby", late.ws).enter())
        await settle()
        await late.vanish()
        gate.set()
        assert await refused(entering) == "closed"
        assert not rooms._node._local
        assert await rooms.presence("lobby") == {}
        await rooms.close()

    run(main())


@pytest.mark.parametrize("call", ["open", "subscribe", "history", "enter"])
@pytest.mark.parametrize("fails", [False, True])
def test_entering_that_is_cut_off_leaves_nothing(call: str, fails: bool) -> None:
    async def main() -> None:
        home = GatedHome()
        rooms, guest = Rooms(home), Guest()
        home.hold(call)
        room = rooms.join("lobby", guest.ws, since=Position("e", 0))
        entering = asyncio.create_task(room.enter())
        await settle()
        assert home.calls[-1] == call
        if fails:
            home.fail(call, HomeUnreachable("no"))
            home.hold(call).set()
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert not rooms._node._local
        assert not rooms._node._joins
        assert not rooms._node._leaving
        home.hold(call).set()
        if fails:
            home.fail(call, None)
        async with rooms.join("lobby", guest.ws) as room:
            assert await room.presence() == {guest.ws.id: {}}
        assert await rooms.presence("lobby") == {}
        await rooms.close()

    run(main())


@pytest.mark.parametrize("call", ["open", "subscribe", "history", "enter"])
def test_entering_fails_with_its_home(call: str) -> None:
    async def main() -> None:
        home = GatedHome()
        rooms, guest = Rooms(home), Guest()
        home.fail(call, HomeUnreachable("no"))
        with pytest.raises(HomeUnreachable):
            await rooms.join("lobby", guest.ws, since=Position("e", 0)).enter()
        assert not rooms._node._local
        assert not rooms._node._joins
        home.fail(call, None)
        async with rooms.join("lobby", guest.ws):
            pass
        await rooms.close()

    run(main())


@pytest.mark.parametrize("ends", [False, True])
def test_who_leaves_while_it_enters_is_gone(ends: bool) -> None:
    async def main() -> None:
        home = GatedHome()
        rooms = Rooms(home)
        gate = home.hold("enter")
        room = rooms.join("lobby", Guest().ws)
        entering = asyncio.create_task(room.enter())
        await settle()
        await (rooms.close() if ends else room.leave())
        gate.set()
        assert await refused(entering) == "closed"
        assert not rooms._node._joins
        assert await home.presence("lobby") == {}
        await rooms.close()

    run(main())


@pytest.mark.parametrize("call", ["leave", "unsubscribe"])
def test_leaving_that_is_cancelled_goes_on(call: str) -> None:
    async def main() -> None:
        home = GatedHome()
        rooms, guest = Rooms(home), Guest()
        room = rooms.join("lobby", guest.ws)
        await room.enter()
        gate = home.hold(call)
        leaving = asyncio.create_task(room.leave())
        await settle()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await room.leave()
        assert rooms._node._leaving
        gate.set()
        await settle()
        assert not rooms._node._leaving
        assert not rooms._node._local
        assert await rooms.presence("lobby") == {}
        await rooms.close()

    run(main())


def test_who_comes_back_while_it_leaves_stays() -> None:
    async def main() -> None:
        rooms, guest = Rooms(), Guest()
        room = rooms.join("lobby", guest.ws)
        await room.enter()
        leaving = asyncio.create_task(room.leave())
        again = rooms.join("lobby", guest.ws)
        entering = asyncio.create_task(again.enter())
        await asyncio.gather(leaving, entering)
        assert await rooms.presence("lobby") == {guest.ws.id: {}}
        assert rooms.metrics().members == 1
        await again.leave()
        await rooms.close()

    run(main())


def test_a_member_that_never_reads_slows_nobody() -> None:
    async def main() -> None:
        lost: list[int] = []
        rooms = Rooms(limits=RoomLimits(outbox=OutboxLimits(messages=10)))
        slow, quick = Guest(), Guest()
        async with (
            rooms.join("lobby", slow.ws, on_lost=lost.append),
            rooms.join("lobby", quick.ws) as room,
        ):
            slow.stop_reading()
            for i in range(100):
                await room.publish(str(i))
            await settle()
            assert quick.received == [str(i) for i in range(100)]
            metrics = rooms.metrics()
            assert (metrics.slow_members, metrics.waiting_messages) == (1, 10)
            assert metrics.dropped_oldest == sum(lost) == 90
            slow.read_on()
            await settle()
            assert slow.received == [str(i) for i in range(90, 100)]
        await rooms.close()

    run(main())

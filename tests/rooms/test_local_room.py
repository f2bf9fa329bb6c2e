"""A node's side of a room: one subscription, its members, and what the home tells."""

from __future__ import annotations

import asyncio

import pytest

from kit.rooms import GatedHome, Guest
from kit.virtual_time import run, settle
from upwire.errors import HomeUnreachable, RoomRefused
from upwire.rooms.audience import Member
from upwire.rooms.events import Event, Interrupted, Joined, Left, Published, Resumed
from upwire.rooms.home import History, HistoryLimits, Position, Publication
from upwire.rooms.limits import RoomLimits
from upwire.rooms.local_room import LocalRoom
from upwire.rooms.metrics import Counters


def encode(room: str, event: Event) -> str | None:
    match event:
        case Published(publication):
            return f"{publication.offset} {publication.data!s}"
        case Joined(member_id) | Left(member_id):
            return member_id
        case Interrupted():
            return "interrupted"
        case Resumed(position, is_complete):
            return f"resumed at {position.offset} {is_complete}"


class Node:
    """A room of one node, and what its members get."""

    def __init__(self, limits: RoomLimits | None = None) -> None:
        self.home = GatedHome()
        self.counters = Counters()
        self.room = LocalRoom("room", self.home, limits or RoomLimits(), self.counters)

    def admit(self, *, encoded: bool = False, is_held: bool = False) -> tuple[Guest, Member]:
        guest = Guest()
        member = Member(guest.ws, {}, encode if encoded else None, None)
        self.room.admit(member)
        if not is_held:
            assert member.outbox is not None
            member.outbox.start()
        return guest, member

    async def publish(self, data: str) -> None:
        await self.home.publish("room", Publication(data), keep=HistoryLimits())


def test_one_subscription_serves_all() -> None:
    async def main() -> None:
        node = Node()
        await node.publish("before")
        node.room.holders = 2
        gate = node.home.hold("subscribe")
        subscribing = [asyncio.create_task(node.room.subscribe()) for _ in range(2)]
        await settle()
        gate.set()
        await asyncio.gather(*subscribing)
        assert node.home.calls.count("subscribe") == 1
        assert node.room.position.offset == 1
        assert not await node.room.unsubscribe_unused()
        node.room.holders = 0
        assert await node.room.unsubscribe_unused()
        assert await node.room.unsubscribe_unused()
        assert node.home.calls.count("unsubscribe") == 1
        await node.home.close()

    run(main())


def test_a_subscription_that_fails_may_be_tried_again() -> None:
    async def main() -> None:
        node = Node()
        node.home.fail("subscribe", HomeUnreachable("no"))
        with pytest.raises(HomeUnreachable):
            await node.room.subscribe()
        assert node.home.calls == ["subscribe", "unsubscribe"]
        node.home.fail("subscribe", None)
        await node.room.subscribe()
        await node.home.close()

    run(main())


def test_an_attempt_that_fails_does_so_for_all_who_wait() -> None:
    async def main() -> None:
        node = Node()
        node.home.fail("subscribe", HomeUnreachable("no"))
        gate = node.home.hold("subscribe")
        subscribing = [asyncio.create_task(node.room.subscribe()) for _ in range(3)]
        await settle()
        gate.set()
        for result in await asyncio.gather(*subscribing, return_exceptions=True):
            assert isinstance(result, HomeUnreachable)
            assert str(result) == "no"
        assert node.home.calls == ["subscribe", "unsubscribe"]

    run(main())


def test_who_waits_tries_after_an_attempt_that_was_cancelled() -> None:
    async def main() -> None:
        node = Node()
        gate = node.home.hold("subscribe")
        first, second = (asyncio.create_task(node.room.subscribe()) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        gate.set()
        await second
        assert node.home.calls == ["subscribe", "unsubscribe", "subscribe"]
        await node.home.close()

    run(main())


def test_a_cancelled_subscription_is_taken_back() -> None:
    async def main() -> None:
        node = Node()
        node.home.hold("subscribe")
        subscribing = asyncio.create_task(node.room.subscribe())
        await settle()
        subscribing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await subscribing
        assert node.home.calls == ["subscribe", "unsubscribe"]

    run(main())


def test_who_comes_while_the_last_one_leaves_is_served() -> None:
    async def main() -> None:
        node = Node()
        await node.room.subscribe()
        gate = node.home.hold("unsubscribe")
        leaving = asyncio.create_task(node.room.unsubscribe_unused())
        await settle()
        node.room.holders = 1
        coming = asyncio.create_task(node.room.subscribe())
        await settle()
        gate.set()
        assert not await leaving
        await coming
        assert node.home.calls == ["subscribe", "unsubscribe", "subscribe"]
        await node.home.close()

    run(main())


def test_a_position_that_was_told_meanwhile_is_kept() -> None:
    class EarlyHome(GatedHome):
        async def subscribe(self, room: str, listener: object) -> Position:
            assert isinstance(listener, LocalRoom)
            listener.published(Publication("x", offset=5), Position("e", 5))
            return Position("e", 3)

    async def main() -> None:
        room = LocalRoom("room", EarlyHome(), RoomLimits(), Counters())
        await room.subscribe()
        assert room.position == Position("e", 5)

    run(main())


def test_members_are_admitted_once_and_up_to_a_limit() -> None:
    async def main() -> None:
        node = Node(RoomLimits(members=2))
        guest, member = node.admit()
        again = Member(guest.ws, {}, None, None)
        with pytest.raises(RoomRefused, match="already in room 'room'") as raised:
            node.room.admit(again)
        assert raised.value.reason == "joined"
        assert not node.room.dismiss(again)
        node.admit(encoded=True)
        assert len(node.room) == 2
        with pytest.raises(RoomRefused, match="room 'room' is full") as raised:
            node.admit()
        assert raised.value.reason == "limit"
        assert node.room.has(guest.ws)
        assert node.room.dismiss(member)
        assert not node.room.dismiss(member)
        assert not node.room.has(guest.ws)
        node.admit()
        node.room.dismiss_all()
        assert len(node.room) == 0
        assert not node.room._audiences

    run(main())


def test_the_closed_leave_after_all_others() -> None:
    async def main() -> None:
        node = Node()
        closed, early = node.admit()
        _, late = node.admit()
        await node.room.subscribe()
        closed.ws.begin_close(1000)
        await node.publish("to those who are left")
        assert node.room.dismiss(late)
        assert node.room.dismiss(early)
        assert not node.room._audiences
        await node.home.close()

    run(main())


def test_each_gets_what_happens_in_its_way() -> None:
    async def main() -> None:
        node = Node()
        plain, _ = node.admit()
        encoded, _ = node.admit(encoded=True)
        await node.room.subscribe()
        await node.publish("hello")
        await node.home.enter("room", "Ann", {})
        await node.home.leave("room", "Ann")
        await settle()
        assert plain.received == ["hello"]
        assert encoded.received == ["1 hello", "Ann", "Ann"]
        await node.home.close()

    run(main())


@pytest.mark.parametrize("is_complete", [True, False])
def test_members_learn_of_an_interruption(is_complete: bool) -> None:
    async def main() -> None:
        node = Node()
        plain, _ = node.admit()
        encoded, _ = node.admit(encoded=True)
        node.room.interrupted()
        missed = (Publication("b", offset=2), Publication("c", offset=3))
        node.room.resumed(History(Position("e", 3), missed, is_complete))
        assert node.room.position == Position("e", 3)
        node.room.resumed(History(Position("f", 9), (), False))
        assert node.room.position == Position("f", 9)
        await settle()
        assert plain.received == ["b", "c"]
        told = ["interrupted", f"resumed at 3 {is_complete}", "2 b", "3 c", "resumed at 9 False"]
        assert encoded.received == told
        assert node.counters.interruptions == 1

    run(main())


def test_what_was_missed_is_told_once_and_in_order() -> None:
    async def main() -> None:
        node = Node()
        await node.room.subscribe()
        await node.publish("a")
        await node.publish("b")
        since = Position(node.room.position.epoch, 1)
        guest, member = node.admit(encoded=True, is_held=True)
        history = await node.home.history("room", since=since)
        await node.publish("c")
        node.room.recover(member, history)
        await node.publish("d")
        assert [len(outbox) for outbox in node.room.outboxes()] == [3]
        assert member.outbox is not None
        member.outbox.start()
        await settle()
        assert guest.received == ["2 b", "3 c", "4 d"]
        await node.home.close()

    run(main())


def test_what_cannot_be_recovered_is_left_out() -> None:
    async def main() -> None:
        node = Node()
        await node.room.subscribe()
        await node.publish("a")
        guest, member = node.admit(is_held=True)
        history = await node.home.history("room", since=Position("before", 7))
        node.room.recover(member, history)
        await node.publish("b")
        assert member.outbox is not None
        member.outbox.start()
        await settle()
        assert guest.received == ["b"]
        node.room.dismiss(member)
        node.room.recover(member, history)
        await node.home.close()

    run(main())


def test_an_encoder_may_leave_out_what_was_missed() -> None:
    async def main() -> None:
        node = Node()
        guest = Guest()
        member = Member(guest.ws, {}, lambda room, event: None, None)
        node.room.admit(member)
        missed = (Publication("a", offset=1),)
        node.room.recover(member, History(Position("e", 1), missed))
        assert member.outbox is not None
        assert len(member.outbox) == 0

    run(main())

"""Members who get the same octets: one frame for all, and nobody waits for the slow."""

from __future__ import annotations

import pytest

from kit.rooms import Guest
from kit.virtual_time import run, settle
from upwire.net.websocket import PreparedMessage
from upwire.rooms.audience import Audience, Member
from upwire.rooms.events import Encoder, Event, Joined, Left, Published
from upwire.rooms.home import Position, Publication
from upwire.rooms.limits import OutboxLimits, RoomLimits, SlowPolicy
from upwire.rooms.metrics import Counters


class Hall:
    """An audience of some guests, who listen already."""

    def __init__(
        self, count: int, encode: Encoder | None = None, limits: OutboxLimits | None = None
    ) -> None:
        self.counters = Counters()
        self.audience = Audience(
            "hall", encode, RoomLimits(outbox=limits or OutboxLimits()), self.counters
        )
        self.guests = [Guest() for _ in range(count)]
        self.members = [Member(guest.ws, {}, encode, None) for guest in self.guests]
        for member in self.members:
            self.audience.add(member)
            assert member.outbox is not None
            member.outbox.start()

    def publish(self, *offsets: int, key: str = "") -> None:
        for offset in offsets:
            publication = Publication(str(offset), key, offset=offset)
            self.audience.tell(Published(publication, Position("e", offset)))

    async def received(self) -> list[list[str | bytes]]:
        await settle()
        return [guest.received for guest in self.guests]


def describe(room: str, event: Event) -> str | None:
    """An encoder that tells no publication of 2."""
    match event:
        case Published(publication):
            return None if publication.data == "2" else f"{room}: {publication.data!s}"
        case Joined(member_id):
            return f"+{member_id}"
        case Left(member_id):
            return f"-{member_id}"
    return None


def test_publications_go_to_all_as_they_are() -> None:
    async def main() -> None:
        hall = Hall(3)
        hall.publish(1)
        hall.audience.tell(Joined("me", {}))
        hall.audience.tell(Left("me"))
        assert await hall.received() == [["1"]] * 3
        assert hall.counters.delivered == 3
        assert len(hall.audience) == 3

    run(main())


def test_the_encoder_is_asked_once_for_all() -> None:
    async def main() -> None:
        asked = []

        def encode(room: str, event: Event) -> str:
            asked.append((room, event))
            return f"message {len(asked)}"

        hall = Hall(3, encode)
        hall.publish(1)
        assert await hall.received() == [["message 1"]] * 3
        assert len(asked) == 1

    run(main())


def test_who_joins_or_leaves_does_not_hear_of_itself() -> None:
    async def main() -> None:
        hall = Hall(2, describe)
        one, two = hall.guests
        hall.audience.tell(Joined(one.ws.id, {}))
        two.stop_reading()
        hall.publish(1)
        hall.audience.tell(Left(two.ws.id))
        two.read_on()
        assert await hall.received() == [["hall: 1", f"-{two.ws.id}"], [f"+{one.ws.id}", "hall: 1"]]

    run(main())


def test_an_encoder_may_say_nothing() -> None:
    async def main() -> None:
        hall = Hall(2, describe)
        hall.guests[1].stop_reading()
        hall.publish(1, 2, 3)
        hall.guests[1].read_on()
        assert await hall.received() == [["hall: 1", "hall: 3"]] * 2

    run(main())


@pytest.mark.parametrize("answer", [ValueError("no"), "\ud800"])
def test_an_encoder_that_fails_harms_nobody(
    answer: Exception | str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        def encode(room: str, event: Event) -> str:
            if isinstance(answer, Exception):
                raise answer
            return answer

        hall = Hall(1, encode)
        hall.publish(1)
        assert await hall.received() == [[]]
        assert hall.counters.encoder_failures == 1

    run(main())
    assert "the encoder of room 'hall' failed" in caplog.text


def test_the_slow_do_not_slow_the_others() -> None:
    async def main() -> None:
        hall = Hall(3, limits=OutboxLimits(messages=2))
        slow = hall.guests[1]
        slow.stop_reading()
        hall.publish(1, 2, 3)
        assert [len(outbox) for outbox in hall.audience.outboxes()] == [2]
        assert await hall.received() == [["1", "2", "3"], [], ["1", "2", "3"]]
        slow.read_on()
        assert (await hall.received())[1] == ["2", "3"]
        assert not list(hall.audience.outboxes())
        hall.publish(4)
        assert (await hall.received())[1] == ["2", "3", "4"]
        assert hall.counters.dropped_oldest == 1
        assert hall.counters.delivered == 11

    run(main())


def test_keys_reach_the_outbox() -> None:
    async def main() -> None:
        hall = Hall(1, limits=OutboxLimits(policy=SlowPolicy.LATEST_BY_KEY))
        hall.guests[0].stop_reading()
        hall.publish(1, 2, 3, key="price")
        hall.guests[0].read_on()
        assert await hall.received() == [["3"]]

    run(main())


def test_nothing_waits_for_the_closed() -> None:
    async def main() -> None:
        hall = Hall(2)
        hall.guests[0].ws.begin_close(1000)
        hall.publish(1)
        assert not list(hall.audience.outboxes())
        assert len(hall.audience) == 2
        hall.publish(2)
        assert await hall.received() == [[], ["1", "2"]]

    run(main())


def test_who_is_removed_gets_nothing_more() -> None:
    async def main() -> None:
        hall = Hall(2)
        hall.guests[0].stop_reading()
        hall.publish(1)
        for member in hall.members:
            hall.audience.remove(member)
            hall.audience.remove(member)
        hall.publish(2)
        hall.guests[0].read_on()
        assert await hall.received() == [[], ["1"]]
        assert len(hall.audience) == 0

    run(main())


def test_a_member_may_be_removed_while_all_are_told() -> None:
    """Whoever observes frames, or is told of a loss, may make a member leave."""

    async def main() -> None:
        hall = Hall(2, limits=OutboxLimits(messages=1))
        members = [Member(Guest().ws, {}, None, lambda lost: leave()) for _ in range(2)]

        def leave() -> None:
            for member in members:
                hall.audience.remove(member)

        for member in members:
            hall.audience.add(member)
        hall.publish(1, 2)
        assert await hall.received() == [["1", "2"]] * 2
        assert len(hall.audience) == 2

    run(main())


def test_who_is_removed_while_it_is_sent_to_needs_no_outbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        hall = Hall(1)

        def refuse(ready: dict[object, Member], message: PreparedMessage) -> list[object]:
            refused = list(ready)
            hall.audience.remove(hall.members[0])
            return refused

        monkeypatch.setattr("upwire.rooms.audience.send_to_all", refuse)
        hall.publish(1)
        assert len(hall.audience) == 0

    run(main())

"""What waits for a slow member: in order, within limits, and as its policy says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kit.rooms import Guest
from kit.virtual_time import run, settle
from upwire.net.websocket import PreparedMessage, WebSocketOptions
from upwire.rooms.home import Position
from upwire.rooms.limits import OutboxLimits, SlowPolicy
from upwire.rooms.metrics import Counters
from upwire.rooms.outbox import Outbox
from upwire.wire.websocket import State

EPOCH = "e"


class Box:
    """An outbox in front of a guest."""

    def __init__(
        self,
        limits: OutboxLimits | None = None,
        *,
        guest: Guest | None = None,
        on_lost: Callable[[int], None] | None = None,
    ) -> None:
        self.guest = guest or Guest()
        self.counters = Counters()
        self.emptied: list[int] = []  # how much was left each time
        self.outbox = Outbox(
            self.guest.ws,
            limits or OutboxLimits(),
            self.counters,
            on_empty=self._empty,
            on_lost=on_lost,
        )

    def _empty(self) -> None:
        self.emptied.append(len(self.outbox))

    def put(self, *offsets: int, key: str = "", epoch: str = EPOCH) -> None:
        for offset in offsets:
            position = Position(epoch, offset)
            self.outbox.put(PreparedMessage(str(offset)), key=key, position=position)

    async def drained(self) -> list[str | bytes]:
        """Let the peer read, and return all that came to it."""
        self.guest.read_on()
        await settle()
        return self.guest.received


def test_all_is_held_until_the_start() -> None:
    async def main() -> None:
        box = Box()
        box.put(1, 2)
        box.outbox.put(PreparedMessage("an event"))
        await settle()
        assert box.guest.received == []
        assert len(box.outbox) == 3
        box.outbox.start()
        assert len(box.emptied) == 1
        box.outbox.start()
        assert len(box.emptied) == 1
        await settle()
        assert box.guest.received == ["1", "2", "an event"]
        assert box.counters.delivered == 3

    run(main())


def test_a_slow_peer_gets_all_in_order_once_it_reads() -> None:
    async def main() -> None:
        box = Box()
        box.guest.stop_reading()
        box.put(1)
        box.outbox.start()
        box.put(2, 3)
        await settle()
        assert len(box.outbox) == 3
        assert not box.emptied
        assert await box.drained() == ["1", "2", "3"]
        assert len(box.emptied) == 1

    run(main())


def test_what_is_sent_blocks_the_peer_again() -> None:
    async def main() -> None:
        box = Box()
        box.guest.stop_reading()
        big = "x" * 2**17
        box.outbox.start()
        for _ in range(3):
            box.outbox.put(PreparedMessage(big))
        assert await box.drained() == [big] * 3
        assert len(box.emptied) == 2  # before the first of them too

    run(main())


def test_the_oldest_are_dropped() -> None:
    async def main() -> None:
        lost: list[int] = []
        box = Box(OutboxLimits(messages=2), on_lost=lost.append)
        box.guest.stop_reading()
        box.put(1)
        box.outbox.start()
        box.put(2, 3, 4)
        assert lost == [1, 1]
        assert await box.drained() == ["3", "4"]
        assert box.counters.dropped_oldest == 2

    run(main())


def test_octets_are_limited_but_the_latest_always_waits() -> None:
    async def main() -> None:
        lost: list[int] = []
        box = Box(OutboxLimits(octets=10), on_lost=lost.append)
        for text in ("aa", "bb", "c" * 100):  # in frames of 4, 4 and 102 octets
            box.outbox.put(PreparedMessage(text))
        assert lost == [2]
        box.outbox.start()
        assert await box.drained() == ["c" * 100]

    run(main())


def test_who_is_told_of_a_loss_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def fail(messages: int) -> None:
            raise ValueError(f"{messages} lost")

        box = Box(OutboxLimits(messages=1), on_lost=fail)
        box.put(1, 2)
        box.outbox.start()
        assert await box.drained() == ["2"]

    run(main())
    assert "on_lost failed" in caplog.text


def test_the_latest_of_a_key_takes_the_place_of_earlier_ones() -> None:
    async def main() -> None:
        box = Box(OutboxLimits(messages=3, policy=SlowPolicy.LATEST_BY_KEY))
        box.put(1, key="a")
        box.put(2, key="b")
        box.put(3)
        box.put(4, key="a")
        box.put(5)  # one too many: b's was the oldest
        box.outbox.start()
        assert await box.drained() == ["3", "4", "5"]
        assert box.counters.replaced_by_key == 1
        assert box.counters.dropped_oldest == 1

    run(main())


def test_a_key_means_nothing_to_another_policy() -> None:
    async def main() -> None:
        box = Box()
        box.put(1, 2, key="a")
        box.outbox.start()
        assert await box.drained() == ["1", "2"]
        assert box.counters.replaced_by_key == 0

    run(main())


def test_too_slow_a_peer_is_closed() -> None:
    async def main() -> None:
        box = Box(OutboxLimits(messages=2, policy=SlowPolicy.CLOSE))
        box.guest.stop_reading()
        box.put(1)
        box.outbox.start()
        box.put(2, 3, 4)
        assert len(box.outbox) == 0
        assert box.counters.closed_slow == 1
        assert await box.drained() == []
        assert box.guest.client.close_code == 1013
        assert box.guest.client.close_reason == "messages come faster than they are read"
        assert not box.emptied

    run(main())


def test_a_peer_past_its_deadline_is_closed() -> None:
    async def main() -> None:
        options = WebSocketOptions(send_timeout_s=5, ping_interval_s=None, close_timeout_s=1)
        box = Box(guest=Guest(options))
        box.guest.stop_reading()
        box.put(1)
        box.outbox.start()
        await box.guest.ws.wait_closed()
        assert asyncio.get_running_loop().time() == pytest.approx(6)
        assert box.counters.closed_slow == 1
        assert len(box.outbox) == 0

    run(main())


def test_nothing_waits_for_a_peer_that_is_gone() -> None:
    async def main() -> None:
        box = Box()
        box.guest.stop_reading()
        box.put(1)
        box.outbox.start()
        await settle()
        await box.guest.vanish()
        assert len(box.outbox) == 0
        box.put(2)
        assert len(box.outbox) == 0
        assert not box.emptied

    run(main())


def test_it_stops_for_good() -> None:
    async def main() -> None:
        box = Box()
        box.guest.stop_reading()
        box.put(1)
        box.outbox.start()
        await settle()
        box.outbox.stop()
        box.put(2)
        box.outbox.start()
        assert await box.drained() == []
        assert not box.emptied
        other = Box()
        other.put(1)
        other.outbox.stop()
        assert len(other.outbox) == 0

    run(main())


def missed(*offsets: int) -> list[tuple[PreparedMessage, Position]]:
    return [(PreparedMessage(str(offset)), Position(EPOCH, offset)) for offset in offsets]


def test_what_was_missed_comes_first_and_nothing_twice() -> None:
    async def main() -> None:
        box = Box()
        box.put(3, 4, 5)
        box.outbox.put(PreparedMessage("an event"))
        box.outbox.recover(missed(1, 2, 3, 4), Position(EPOCH, 4), Position(EPOCH, 5))
        box.put(6)
        box.outbox.start()
        assert await box.drained() == ["1", "2", "3", "4", "5", "an event", "6"]
        assert len(box.emptied) == 1

    run(main())


def test_what_the_history_had_already_is_not_told_again() -> None:
    """The history may be read behind what the listener was told so far."""

    async def main() -> None:
        box = Box()
        box.outbox.recover(missed(1, 2, 3), Position(EPOCH, 3), Position(EPOCH, 0))
        box.outbox.start()
        assert not box.emptied  # 1, 2 and 3 still come
        box.put(1, 2)
        box.outbox.put(PreparedMessage("an event"))
        assert not box.emptied
        box.outbox.put(None, position=Position(EPOCH, 3))
        assert box.emptied
        box.put(4)
        assert await box.drained() == ["1", "2", "3", "an event", "4"]

    run(main())


def test_a_new_epoch_is_behind_every_floor() -> None:
    async def main() -> None:
        box = Box()
        box.put(1, epoch="new")
        box.outbox.recover(missed(7), Position(EPOCH, 7), Position("new", 1))
        box.outbox.start()
        assert box.emptied
        assert await box.drained() == ["7", "1"]

    run(main())


def test_keys_outlive_a_recovery() -> None:
    async def main() -> None:
        box = Box(OutboxLimits(policy=SlowPolicy.LATEST_BY_KEY))
        box.put(2, key="a")
        box.outbox.recover(missed(1), Position(EPOCH, 1), Position(EPOCH, 2))
        box.put(3, key="a")
        box.outbox.start()
        assert await box.drained() == ["1", "3"]

    run(main())


@pytest.mark.parametrize("policy", SlowPolicy)
def test_what_was_missed_is_beyond_the_limits(policy: SlowPolicy) -> None:
    async def main() -> None:
        box = Box(OutboxLimits(messages=2, octets=6, policy=policy))
        box.outbox.recover(missed(1, 2, 3, 4), Position(EPOCH, 4), Position(EPOCH, 4))
        box.put(5)
        box.guest.stop_reading()
        box.outbox.start()
        box.put(6)
        await settle()
        assert len(box.outbox) == 6
        assert await box.drained() == ["1", "2", "3", "4", "5", "6"]
        assert box.counters.dropped_oldest == box.counters.closed_slow == 0
        assert box.guest.ws.state is State.OPEN

    run(main())


def test_what_was_missed_is_forgotten_with_the_rest() -> None:
    async def main() -> None:
        box = Box()
        box.outbox.recover(missed(1), Position(EPOCH, 1), Position(EPOCH, 1))
        box.outbox.stop()
        assert len(box.outbox) == 0

    run(main())


def test_whoever_observes_may_stop_it_while_it_sends() -> None:
    async def main() -> None:
        box = Box()
        box.put(1, 2)
        stopping = StoppingSocket(box)
        box.outbox._ws = stopping  # type: ignore[assignment]  # it has the methods that are used
        box.outbox.start()
        assert stopping.sent == 1
        assert not box.emptied
        await settle()

    run(main())


class StoppingSocket:
    """Stops the outbox with the first message that it gets."""

    can_send = True

    def __init__(self, box: Box) -> None:
        self.sent = 0
        self._box = box

    def send_prepared(self, message: PreparedMessage) -> bool:
        self.sent += 1
        self._box.outbox.stop()
        return True

"""Pings without a connection."""

from __future__ import annotations

import asyncio

import pytest

from kit.virtual_time import run, settle
from upwire.errors import ConnectionClosed, LocalProtocolError
from upwire.net.websocket.pings import Pings


class Wire:
    """What Pings stands on, and what it asked for."""

    def __init__(self, *, interval_s: float | None, timeout_s: float | None) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.given_up_s: float | None = None
        self.is_deaf = False
        self.has_heard = False
        self.unsent_octets = 0
        self.pings = Pings(self, interval_s=interval_s, timeout_s=timeout_s)

    @property
    def times_s(self) -> list[float]:
        return [time_s for time_s, _ in self.sent]

    def _send_ping(self, payload: bytes) -> None:
        self.sent.append((asyncio.get_running_loop().time(), payload))

    def _give_up_on_silence(self) -> None:
        self.given_up_s = asyncio.get_running_loop().time()

    def _is_deaf(self) -> bool:
        return self.is_deaf


def test_a_pong_answers_the_pings_before_its_own() -> None:
    async def main() -> None:
        wire = Wire(interval_s=None, timeout_s=None)
        first = asyncio.create_task(wire.pings.ping(b"1"))
        await settle()
        await asyncio.sleep(1)
        second = asyncio.create_task(wire.pings.ping(b"2"))
        third = asyncio.create_task(wire.pings.ping(b"3"))
        await settle()
        await asyncio.sleep(1)
        wire.pings.acknowledge(b"2")
        assert (await first, await second) == pytest.approx((2, 1))
        assert wire.pings.latency_s == pytest.approx(1)
        assert not third.done()
        wire.pings.acknowledge(b"nobody's")
        wire.pings.acknowledge(b"3")
        await third

    run(main())


def test_two_pings_of_one_payload_are_refused() -> None:
    async def main() -> None:
        wire = Wire(interval_s=None, timeout_s=None)
        first = asyncio.create_task(wire.pings.ping(b"same"))
        await settle()
        with pytest.raises(LocalProtocolError, match="this payload"):
            await wire.pings.ping(b"same")
        wire.pings.acknowledge(b"same")
        await first

    run(main())


def test_a_ping_past_its_deadline_is_forgotten() -> None:
    async def main() -> None:
        wire = Wire(interval_s=None, timeout_s=7)
        with pytest.raises(TimeoutError):
            await wire.pings.ping(b"x")
        assert asyncio.get_running_loop().time() == pytest.approx(7)
        wire.pings.acknowledge(b"x")
        assert wire.pings.latency_s is None

    run(main())


def test_the_end_reaches_everybody_who_waits() -> None:
    async def main() -> None:
        wire = Wire(interval_s=1, timeout_s=100)
        await asyncio.sleep(1.5)  # a ping of the keepalive waits too
        tasks = [asyncio.create_task(wire.pings.ping(payload)) for payload in (b"a", b"b", b"c")]
        await settle()
        tasks[2].cancel()
        wire.pings.end(lambda: ConnectionClosed(1006))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], ConnectionClosed)
        assert results[0] is not results[1]
        assert isinstance(results[2], (asyncio.CancelledError, ConnectionClosed))
        await asyncio.sleep(100)
        assert len(wire.sent) == 4

    run(main())


def test_a_pong_for_someone_who_left_is_taken() -> None:
    async def main() -> None:
        wire = Wire(interval_s=None, timeout_s=None)
        task = asyncio.create_task(wire.pings.ping(b"a"))
        await settle()
        task.cancel()
        wire.pings.acknowledge(b"a")
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_keepalive_pings_an_interval_after_each_pong() -> None:
    async def main() -> None:
        wire = Wire(interval_s=20, timeout_s=20)
        for _ in range(3):
            await asyncio.sleep(21)
            wire.pings.acknowledge(wire.sent[-1][1])
        assert wire.times_s == pytest.approx([20, 41, 62])
        assert len({payload for _, payload in wire.sent}) == 3
        wire.pings.stop()
        await asyncio.sleep(100)
        assert len(wire.sent) == 3
        assert wire.given_up_s is None

    run(main())


def test_keepalive_gives_up_on_silence() -> None:
    async def main() -> None:
        wire = Wire(interval_s=20, timeout_s=5)
        await asyncio.sleep(100)
        assert wire.times_s == [20]
        assert wire.given_up_s == pytest.approx(25)

    run(main())


def test_keepalive_pings_again_while_something_comes_or_nobody_listens() -> None:
    async def main() -> None:
        wire = Wire(interval_s=20, timeout_s=5)
        await asyncio.sleep(21)
        wire.has_heard = True
        await asyncio.sleep(5)
        wire.is_deaf = True
        await asyncio.sleep(5)
        wire.is_deaf = False
        await asyncio.sleep(10)
        assert wire.times_s == pytest.approx([20, 25, 30])
        assert wire.given_up_s == pytest.approx(35)

    run(main())


def test_keepalive_without_deadline_pings_for_ever() -> None:
    async def main() -> None:
        wire = Wire(interval_s=20, timeout_s=None)
        await asyncio.sleep(70)
        assert wire.times_s == pytest.approx([20, 40, 60])
        wire.pings.stop()

    run(main())


def test_a_pong_behind_the_stop_starts_nothing() -> None:
    async def main() -> None:
        wire = Wire(interval_s=1, timeout_s=1)
        await asyncio.sleep(1.5)
        wire.pings.stop()
        wire.pings.acknowledge(wire.sent[0][1])
        await asyncio.sleep(100)
        assert len(wire.sent) == 1

    run(main())


def test_a_ping_that_is_not_sent_yet_gets_no_second_one() -> None:
    async def main() -> None:
        wire = Wire(interval_s=10, timeout_s=5)
        await asyncio.sleep(11)
        wire.unsent_octets = 6
        for _ in range(5):
            wire.has_heard = True
            await asyncio.sleep(5)
        assert len(wire.sent) == 1
        wire.unsent_octets = 0
        wire.has_heard = True
        await asyncio.sleep(5.5)
        assert len(wire.sent) == 2
        wire.pings.acknowledge(wire.sent[1][1])
        assert wire.given_up_s is None
        wire.pings.stop()

    run(main())

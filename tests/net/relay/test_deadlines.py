"""Deadlines for many, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from kit import virtual_time
from upwire.net.relay.deadlines import STEP_S, wait_until


class Waiter:
    def __init__(self) -> None:
        self.reached_s: list[float] = []

    def deadline_reached(self) -> None:
        self.reached_s.append(asyncio.get_running_loop().time())


def test_a_deadline_comes_once_and_not_early() -> None:
    async def main() -> None:
        one, two, three = Waiter(), Waiter(), Waiter()
        assert wait_until(0.51, one) is wait_until(0.55, two)
        wait_until(7.0, three)
        await asyncio.sleep(10)
        assert one.reached_s == two.reached_s == [pytest.approx(0.6)]
        assert three.reached_s == [pytest.approx(7.0, abs=STEP_S)]

    virtual_time.run(main())


def test_who_is_dropped_waits_no_more() -> None:
    async def main() -> None:
        one, two = Waiter(), Waiter()
        deadline = wait_until(5.0, one)
        wait_until(5.0, two)
        deadline.drop(one)
        await asyncio.sleep(6)
        assert (one.reached_s, len(two.reached_s)) == ([], 1)

    virtual_time.run(main())


def test_a_moment_that_nobody_waits_for_is_forgotten() -> None:
    async def main() -> None:
        one = Waiter()
        deadline = wait_until(5.0, one)
        deadline.drop(one)
        deadline.drop(one)
        assert wait_until(5.0, one) is not deadline
        await asyncio.sleep(6)
        assert len(one.reached_s) == 1

    virtual_time.run(main())


def test_a_waiter_may_leave_while_others_of_the_moment_are_called() -> None:
    async def main() -> None:
        class Leaving(Waiter):
            def deadline_reached(self) -> None:
                deadline.drop(other)
                super().deadline_reached()

        one, other = Leaving(), Leaving()
        deadline = wait_until(1.0, one)
        wait_until(1.0, other)
        await asyncio.sleep(2)
        assert len(one.reached_s) + len(other.reached_s) >= 1

    virtual_time.run(main())

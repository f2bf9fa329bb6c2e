"""Turns at a home: a failure is that of all who wait, and of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from kit.virtual_time import run
from upwire.errors import HomeUnreachable
from upwire.rooms.turns import Turns


def results_of(*turns: Coroutine[object, object, str]) -> list[str]:
    """Return what becomes of turns that are asked for at once."""

    async def main() -> list[str]:
        results = await asyncio.gather(*turns, return_exceptions=True)
        return [repr(result) for result in results]

    return run(main())


async def take(turns: Turns, seconds: float, error: Exception | None = None) -> str:
    async with turns.attempt():
        await asyncio.sleep(seconds)
        if error is not None:
            raise error
    return f"after {asyncio.get_running_loop().time():.0f} s"


def test_one_comes_after_the_other() -> None:
    turns = Turns()
    assert results_of(take(turns, 1), take(turns, 1)) == ["'after 1 s'", "'after 2 s'"]


def test_a_failure_is_that_of_all_who_wait() -> None:
    turns = Turns()
    failed = "HomeUnreachable('no')"
    away = HomeUnreachable("no")
    assert results_of(take(turns, 5, away), take(turns, 5), take(turns, 5)) == [failed] * 3


def test_who_comes_after_a_failure_has_a_turn() -> None:
    turns = Turns()

    async def come_late() -> str:
        await asyncio.sleep(6)
        return await take(turns, 1)

    away = HomeUnreachable("no")
    assert results_of(take(turns, 5, away), come_late())[1] == "'after 7 s'"


def test_another_error_is_of_one_alone() -> None:
    turns = Turns()
    results = results_of(take(turns, 1, ValueError("no")), take(turns, 1))
    assert results == ["ValueError('no')", "'after 2 s'"]

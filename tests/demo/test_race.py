from __future__ import annotations

import asyncio

import pytest

from kit import virtual_time
from upwire.demo.race import until_first


async def forever(log: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        log.append("stopped")


def test_the_first_to_end_stops_the_others() -> None:
    log: list[str] = []

    async def main() -> None:
        await until_first(forever(log), asyncio.sleep(1), forever(log))

    virtual_time.run(main())
    assert log == ["stopped", "stopped"]


def test_what_the_first_raises_is_raised() -> None:
    log: list[str] = []

    async def fail() -> None:
        raise ValueError("first")

    async def main() -> None:
        await until_first(forever(log), fail())

    with pytest.raises(ValueError, match="first"):
        virtual_time.run(main())
    assert log == ["stopped"]


def test_a_cancellation_stops_all() -> None:
    log: list[str] = []

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await until_first(forever(log), forever(log))

    virtual_time.run(main())
    assert log == ["stopped", "stopped"]

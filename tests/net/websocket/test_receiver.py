"""What a task awaits in recv(): woken, stepped, cancelled, by real tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any, cast

import pytest

from kit.virtual_time import run, settle
from upwire.net.websocket._receiver import Receiver

NAME = ContextVar("NAME", default="nobody")


async def wait(receiver: Receiver) -> str:
    await cast("Awaitable[None]", receiver)
    return NAME.get()


def make() -> Receiver:
    return Receiver(asyncio.get_running_loop())


@pytest.mark.parametrize("times", [1, 3])
def test_a_task_goes_on_when_it_is_woken_and_can_wait_again(times: int) -> None:
    async def main() -> None:
        receiver = make()
        for _ in range(times):
            assert not receiver.is_waiting
            waiting = asyncio.create_task(wait(receiver))
            await settle()
            assert receiver.is_waiting
            assert not receiver.done()
            receiver.wake()
            assert not receiver.is_waiting
            receiver.wake()  # a second time it does nothing
            assert not waiting.done()
            assert await waiting == "nobody"
            assert receiver.done()

    run(main())


def test_a_step_runs_the_task_at_once_and_in_its_own_context() -> None:
    async def main() -> None:
        receiver = make()

        async def named() -> str:
            NAME.set("the task")
            return await wait(receiver)

        waiting = asyncio.create_task(named())
        await settle()
        ran: list[bool] = []

        def step() -> None:  # a callback of the loop, as the engine's: no task runs
            receiver.step()
            ran.append(waiting.done())

        asyncio.get_running_loop().call_soon(step)
        assert await waiting == "the task"
        assert ran == [True]
        assert NAME.get() == "nobody"

    run(main())


def test_nobody_is_woken_where_nobody_waits() -> None:
    async def main() -> None:
        receiver = make()
        receiver.wake()
        receiver.step()
        assert not receiver.cancel()
        receiver.result()
        assert receiver.get_loop() is asyncio.get_running_loop()

    run(main())


def test_cancelling_reaches_the_task_with_its_message_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        receiver = make()
        for arguments in (("why",), ()):
            waiting = asyncio.create_task(wait(receiver))
            await settle()
            assert waiting.cancel(*arguments)
            with pytest.raises(asyncio.CancelledError) as raised:
                await waiting
            assert waiting.cancelled()
            assert not arguments or "why" in str(raised.value) or raised.value.__context__
        waiting = asyncio.create_task(wait(receiver))
        await settle()
        receiver.wake()
        assert await waiting == "nobody"

    run(main())


def test_cancelling_a_task_that_was_woken_cancels_it_all_the_same() -> None:
    async def main() -> None:
        receiver = make()
        waiting = asyncio.create_task(wait(receiver))
        await settle()
        receiver.wake()
        assert waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(main())


def test_a_timeout_ends_the_wait() -> None:
    async def main() -> None:
        receiver = make()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await wait(receiver)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(receiver), 5)
        assert asyncio.get_running_loop().time() == pytest.approx(10)

    run(main())


def test_it_is_its_own_iterator() -> None:
    async def main() -> None:
        receiver: Any = make()  # Any: the protocol of iterators is not for callers
        iterator = iter(receiver.__await__())
        assert next(iterator) is receiver
        with pytest.raises(StopIteration):
            next(iterator)

    run(main())

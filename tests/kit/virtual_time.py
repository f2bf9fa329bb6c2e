"""An event loop whose clock jumps: a test of minutes takes none, and is exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run main as asyncio.run() does; wherever all wait, the clock jumps to the next timer.

    For what lives in memory. Nothing waits for a socket here: its octets would be late.
    """
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


async def settle(turns: int = 20) -> None:
    """Let everybody run who can, without the clock moving."""
    for _ in range(turns):
        await asyncio.sleep(0)


class _JumpingSelector(selectors.SelectSelector):
    """Notes how long it was to wait, and does not."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("all tasks wait, and no timer is set: the test would hang")
        self.now_s += max(timeout, 0.0)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

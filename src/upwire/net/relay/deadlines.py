"""Deadlines of many, for one timer each tenth of a second at most.

A timer of asyncio's takes more memory than an idle tunnel otherwise does.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol
from weakref import WeakKeyDictionary

STEP_S = 0.1
"""How much later than asked a deadline may come."""


class Waiter(Protocol):
    """Who has a deadline."""

    def deadline_reached(self) -> None:
        """The time has come."""


class Deadline:
    """A moment, and those who wait for it; `wait_until()` gives one."""

    __slots__ = ("_moments", "_number", "_timer", "_waiters")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, moments: dict[int, Deadline], number: int
    ) -> None:
        self._moments = moments
        self._number = number
        self._waiters: dict[Waiter, None] = {}  # half of what a set of many weighs
        self._timer = loop.call_at(number * STEP_S, self._reach)

    def add(self, waiter: Waiter) -> None:
        """Let waiter wait too."""
        self._waiters[waiter] = None

    def drop(self, waiter: Waiter) -> None:
        """Let waiter wait no more."""
        self._waiters.pop(waiter, None)
        if not self._waiters:
            self._timer.cancel()
            self._moments.pop(self._number, None)

    def _reach(self) -> None:
        self._moments.pop(self._number, None)
        while self._waiters:
            self._waiters.popitem()[0].deadline_reached()


_moments: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Deadline]] = WeakKeyDictionary()


def wait_until(at_s: float, waiter: Waiter) -> Deadline:
    """Call waiter at a time of the running loop, up to STEP_S later."""
    loop = asyncio.get_running_loop()
    moments = _moments.setdefault(loop, {})
    number = math.ceil(at_s / STEP_S)
    deadline = moments.get(number)
    if deadline is None:
        deadline = moments[number] = Deadline(loop, moments, number)
    deadline.add(waiter)
    return deadline

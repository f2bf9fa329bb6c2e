"""`Turns`: one after the other, save where that would only repeat a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from upwire.errors import HomeUnreachable


class Turns:
    """A lock around what needs a home.

    A home goes on trying until its deadline. Of those who wait for an attempt that fails, each
    would wait as long again, behind all the others; so its failure is theirs.
    """

    __slots__ = ("_failure", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self._failure: HomeUnreachable | None = None  # the latest

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Hold the lock. Raises HomeUnreachable where a turn did while we waited for ours."""
        known = self._failure
        async with self.lock:
            if self._failure is not None and self._failure is not known:
                raise HomeUnreachable(str(self._failure))
            try:
                yield
            except HomeUnreachable as error:
                self._failure = HomeUnreachable(str(error))  # without the traceback
                raise

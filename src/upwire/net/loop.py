"""The event loop of our own programs: uvloop's where it is installed, asyncio's otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run_in_loop(main: Coroutine[Any, Any, _T]) -> _T:  # Any: what an event loop is sent
    """Run main as asyncio.run() does. docs/decisions/0005-uvloop.md has the figures."""
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ModuleNotFoundError):
        import uvloop

        new_loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)

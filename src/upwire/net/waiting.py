"""Waiting for what a connection will do, within a time."""

from __future__ import annotations

import asyncio

from upwire.errors import StreamError


async def wait_for(waiter: asyncio.Future[None], timeout_s: float | None, doing: str) -> None:
    """Await waiter; StreamError after timeout_s. A timer costs less than asyncio.timeout()."""
    if timeout_s is None:
        await waiter
        return
    timer = waiter.get_loop().call_later(timeout_s, _expire, waiter)
    try:
        await waiter
    except TimeoutError:
        raise timed_out(timeout_s, doing) from None
    finally:
        timer.cancel()


def timed_out(timeout_s: float, doing: str) -> StreamError:
    """Return the error of a wait that took longer than that."""
    return StreamError(f"timed out after {timeout_s:.3g} s", doing=doing, is_timeout=True)


def wake(waiter: asyncio.Future[None]) -> None:
    """Let the one who waits go on."""
    if not waiter.done():
        waiter.set_result(None)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())

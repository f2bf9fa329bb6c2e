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
        message = f"timed out after {timeout_s:.3g} s"
        raise StreamError(message, doing=doing, is_timeout=True) from None
    finally:
        timer.cancel()


def wake(waiter: asyncio.Future[None]) -> None:
    """Let the one who waits go on."""
    if not waiter.done():
        waiter.set_result(None)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())

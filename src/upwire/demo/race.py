"""Steps side by side, of which the first to end decides."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_first(*steps: Coroutine[Any, Any, object]) -> None:
    """Run the steps until one ends, and stop the others; raise what that one raised, if it did."""
    tasks = [asyncio.create_task(step) for step in steps]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in ended:
            task.result()

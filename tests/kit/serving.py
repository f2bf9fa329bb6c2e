"""`upwire serve` as a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

RUN_TIMEOUT_S = 30


@asynccontextmanager
async def serving(
    folder: Path, *arguments: str, descriptors: Sequence[int] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `upwire serve` in a folder; end it if it is still there. descriptors: it inherits."""
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "upwire", "serve", *arguments),
        cwd=folder,
        env=environment,
        pass_fds=descriptors,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

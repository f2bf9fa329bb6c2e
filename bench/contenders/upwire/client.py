"""Round trips with upwire's client: arguments URL, payload octets, seconds; prints how many."""

from __future__ import annotations

import asyncio
import sys
import time

import upwire


async def main(url: str, octets: int, seconds: float) -> int:
    message, count = bytes(octets), 0
    async with upwire.connect(url) as ws:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            await ws.send(message)
            if await ws.recv() != message:
                sys.exit("wrong echo")
            count += 1
    return count


print(asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))

"""Round trips with websockets: arguments URL, payload octets, seconds; prints how many."""

from __future__ import annotations

import sys
import time

import uvloop
from websockets.asyncio.client import connect


async def main(url: str, octets: int, seconds: float) -> int:
    message, count = bytes(octets), 0
    async with connect(url, compression=None) as ws:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            await ws.send(message)
            if await ws.recv() != message:
                sys.exit("wrong echo")
            count += 1
    return count


print(uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))

"""Round trips with upwire: arguments URL, payload octets, seconds; see measure.client()."""

from __future__ import annotations

import json
import sys
import time

import upwire
from upwire.net.loop import run_in_loop


async def main(url: str, octets: int, seconds: float) -> None:
    message, start_s = bytes(octets), time.process_time()
    async with upwire.connect(url) as ws:
        times_ns = [time.monotonic_ns()]
        while times_ns[-1] < times_ns[0] + seconds * 1e9:
            await ws.send(message)
            if await ws.recv() != message:
                sys.exit("wrong echo")
            times_ns.append(time.monotonic_ns())
    print(json.dumps([time.process_time() - start_s, times_ns]))


run_in_loop(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))

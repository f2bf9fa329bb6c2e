"""Round trips with picows: arguments URL, payload octets, seconds; see measure.client()."""

from __future__ import annotations

import json
import sys
import time

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect


class RoundTrips(WSListener):
    def __init__(self, octets: int, seconds: float) -> None:
        self.message = bytes(octets)
        self.seconds = seconds
        self.times_ns: list[int] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.times_ns.append(time.monotonic_ns())
        transport.send(WSMsgType.BINARY, self.message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.get_payload_as_bytes() != self.message:
            sys.exit("wrong echo")
        self.times_ns.append(time.monotonic_ns())
        if self.times_ns[-1] < self.times_ns[0] + self.seconds * 1e9:
            transport.send(WSMsgType.BINARY, self.message)
        else:
            transport.disconnect()


async def main(url: str, octets: int, seconds: float) -> None:
    start_s = time.process_time()
    transport, listener = await ws_connect(lambda: RoundTrips(octets, seconds), url)
    await transport.wait_disconnected()
    assert isinstance(listener, RoundTrips)
    print(json.dumps([time.process_time() - start_s, listener.times_ns]))


uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))

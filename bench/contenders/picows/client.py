"""Round trips with picows: arguments URL, payload octets, seconds; prints how many."""

from __future__ import annotations

import sys
import time

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect


class RoundTrips(WSListener):
    def __init__(self, octets: int, seconds: float) -> None:
        self.message = bytes(octets)
        self.count = 0
        self.until_s = time.monotonic() + seconds

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.BINARY, self.message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.get_payload_as_bytes() != self.message:
            sys.exit("wrong echo")
        self.count += 1
        if time.monotonic() < self.until_s:
            transport.send(WSMsgType.BINARY, self.message)
        else:
            transport.disconnect()


async def main(url: str, octets: int, seconds: float) -> int:
    transport, listener = await ws_connect(lambda: RoundTrips(octets, seconds), url)
    await transport.wait_disconnected()
    assert isinstance(listener, RoundTrips)
    return listener.count


print(uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))

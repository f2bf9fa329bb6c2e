"""A load of fan-outs: one member publishes, and the next message goes once all members have it.

In Python: to receive is cheaper than to send, so the server is what is waited for.
"""

from __future__ import annotations

import contextlib
import select
import time

from bench.tally import Tally
from upwire.client.url import parse_url
from upwire.errors import RemoteProtocolError
from upwire.load.connecting import open_connections
from upwire.load.measure import MASK_KEY
from upwire.wire._codec import build_frame
from upwire.wire.frames import Opcode

READ_OCTETS = 65536
PATIENCE_S = 10.0


class FanOut(Tally):
    """The members of one room, and when the last of them had each message.

    messages: those that were delivered; one to all members counts for each of them.
    """

    def __init__(self, port: int, members: int, payload_octets: int) -> None:
        opened = open_connections(parse_url(f"ws://127.0.0.1:{port}/"), members)
        self._payload_octets = payload_octets
        self._number = 0
        self._poll = select.epoll()
        with contextlib.ExitStack() as undo:
            undo.callback(self._poll.close)
            for one in opened:
                undo.callback(one.socket.close)
                self._poll.register(one.socket, select.EPOLLIN)
            self._members = {one.socket.fileno(): one.socket for one in opened}
            self._publisher = opened[0].socket
            self._close = undo.pop_all().close
        self._begun: dict[int, bytes] = {}  # what came of a frame that is not whole yet
        super().__init__()

    def run(self, seconds: float) -> None:
        """Publish for so long, once at least. Raises RemoteProtocolError where it goes wrong."""
        until_s = time.monotonic() + seconds
        while True:
            self._publish()
            if time.monotonic() >= until_s:
                return

    def close(self) -> None:
        """Drop the connections."""
        self._close()

    def _publish(self) -> None:
        self._number += 1
        payload = self._number.to_bytes(self._payload_octets, "big")
        frame = build_frame(Opcode.BINARY, payload)
        since_ns = time.monotonic_ns()
        self._publisher.sendall(build_frame(Opcode.BINARY, payload, mask_key=MASK_KEY))
        missing = len(self._members)
        while missing:
            events = self._poll.poll(PATIENCE_S, len(self._members))
            if not events:
                raise RemoteProtocolError(f"{missing} members did not get a message")
            for descriptor, _ in events:
                octets = self._members[descriptor].recv(READ_OCTETS)
                if octets == frame or self._is_whole(descriptor, octets, frame):
                    missing -= 1
        self.count(time.monotonic_ns() - since_ns, len(self._members))

    def _is_whole(self, descriptor: int, octets: bytes, frame: bytes) -> bool:
        """Take a part of the frame; return whether it was the last."""
        begun = self._begun.pop(descriptor, b"") + octets
        if not octets or not frame.startswith(begun):
            raise RemoteProtocolError(f"a member got another message: {begun!r:.40}")
        if begun != frame:
            self._begun[descriptor] = begun
        return begun == frame

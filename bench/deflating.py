"""A load of compressed JSON: one message at a time on each connection, every echo inflated.

In Python, since the inflating is zlib's and the servers take several times as long. What is sent
was compressed before, each message without a context, which every server can inflate whatever
was agreed on; the echoes are compressed as the server would for anybody.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import time
import zlib
from dataclasses import dataclass, field

from bench.tally import Tally
from upwire.client.url import parse_url
from upwire.errors import RemoteProtocolError
from upwire.load.connecting import Opened, open_connections
from upwire.load.measure import MASK_KEY
from upwire.wire._codec import build_frame
from upwire.wire.deflate import DeflateOptions, DeflateParameters, PerMessageDeflate
from upwire.wire.frames import Opcode

MESSAGES = 64
READ_OCTETS = 65536
_RSV1 = 0x40
_NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia")
_WORDS = ("order", "shipped", "pending", "invoice", "north", "south", "express", "return")


class Compressed(Tally):
    """Connections that agreed to compress, and what their echoes took."""

    def __init__(self, port: int, connections: int, payload_octets: int) -> None:
        url = parse_url(f"ws://127.0.0.1:{port}/")
        self._messages = [document(number, payload_octets) for number in range(MESSAGES)]
        opened = open_connections(url, connections, deflate=DeflateOptions())
        self._poll = select.epoll()
        with contextlib.ExitStack() as undo:
            undo.callback(self._poll.close)
            for one in opened:
                undo.callback(one.socket.close)
            self._connections = {one.socket.fileno(): self._take(one) for one in opened}
            self._close = undo.pop_all().close
        super().__init__()

    def run(self, seconds: float) -> None:
        """Send and check for so long. Raises RemoteProtocolError for an echo that is not right."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left_s):
                one = self._connections[descriptor]
                octets = one.opened.socket.recv(READ_OCTETS)
                if not octets:
                    raise RemoteProtocolError("a connection was lost")
                if one.receive(octets, self._messages[one.number]):
                    self.count(time.monotonic_ns() - one.since_ns)
                    one.send((one.number + 1) % MESSAGES)

    def close(self) -> None:
        """Drop the connections."""
        self._close()

    def _take(self, opened: Opened) -> _Connection:
        if opened.deflate is None:
            raise RemoteProtocolError("the server does not compress")
        self._poll.register(opened.socket, select.EPOLLIN)
        one = _Connection(opened, opened.deflate, prepare(self._messages, opened.deflate))
        one.send(0)
        return one


@dataclass(slots=True)
class _Connection:
    """number: of the message that is under way, sent at since_ns."""

    opened: Opened
    deflate: DeflateParameters
    frames: list[bytes]
    codec: PerMessageDeflate = field(init=False)
    received: bytes = b""
    number: int = 0
    since_ns: int = 0

    def __post_init__(self) -> None:
        self.codec = PerMessageDeflate(self.deflate, is_client=True)

    def send(self, number: int) -> None:
        self.number = number
        self.since_ns = time.monotonic_ns()
        self.opened.socket.sendall(self.frames[number])

    def receive(self, octets: bytes, expected: bytes) -> bool:
        """Take octets; return whether the echo is complete. Raises where it is another."""
        self.received += octets
        payload = echo_payload(self.received)
        if payload is None:
            return False
        self.received = b""
        if self.codec.decompress(payload, True, len(expected)) != expected:
            raise RemoteProtocolError("an echo differs")
        return True


def echo_payload(octets: bytes) -> bytes | None:
    """Return the payload of the one compressed text frame that octets may be; None: not all yet.

    Raises RemoteProtocolError for any other frame.
    """
    if octets[:1] != bytes([0x80 | _RSV1 | Opcode.TEXT]):
        raise RemoteProtocolError(f"an echo is not one compressed frame: {octets!r:.40}")
    if len(octets) < 4:
        return None
    start, size = 2, octets[1]
    if size == 126:
        start, size = 4, int.from_bytes(octets[2:4], "big")
    if len(octets) > start + size:
        raise RemoteProtocolError("octets behind an echo")
    return octets[start:] if len(octets) == start + size else None


def prepare(messages: list[bytes], agreed: DeflateParameters) -> list[bytes]:
    """Return each message as the frame that is sent, compressed by itself."""
    bits = max(agreed.client_max_window_bits, 9)  # zlib makes no raw stream for 8
    return [_frame(message, bits) for message in messages]


def document(number: int, octets: int) -> bytes:
    """Return a JSON text of exactly so many octets, another for each number."""
    rng = random.Random(number)
    rows: list[dict[str, object]] = []
    while len(_text(number, rows)) < octets:
        rows.append(
            {
                "customer": rng.choice(_NAMES),
                "state": rng.choice(_WORDS),
                "amount": round(rng.uniform(1, 1000), 2),
                "at": rng.randrange(10**9, 2 * 10**9),
            }
        )
    rows.pop()
    return _text(number, rows, " " * (octets - len(_text(number, rows)))).encode()


def _text(number: int, rows: list[dict[str, object]], padding: str = "") -> str:
    return json.dumps({"id": number, "rows": rows, "padding": padding})


def _frame(message: bytes, window_bits: int) -> bytes:
    deflater = zlib.compressobj(wbits=-window_bits)
    octets = deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return build_frame(Opcode.TEXT, octets[:-4], rsv1=True, mask_key=MASK_KEY)

"""A load: connections, the engine that drives them, and what it found."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from upwire.client.url import parse_url
from upwire.load._engine import Engine
from upwire.load.connecting import Opened, open_connections
from upwire.load.histogram import PERCENTILES, Histogram
from upwire.wire import _codec
from upwire.wire.frames import CloseCode, Opcode, build_close

SLICE_S = 0.25
"""How long the engine runs before Python looks at signals, progress and the clock."""
DRAIN_S = 5.0
"""How long echoes that are still to come may take at the end."""
MASK_KEY = b"\x37\xfa\x21\x3d"
"""One for all frames. Fresh random ones (RFC 6455 §5.3) keep scripts in browsers from choosing
the octets on the wire; here they would only cost the load generator time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What to ask of a server.

    in_flight: messages under way on each connection. rate_per_s: of all connections together;
    0 as fast as echoes come. headers: of the handshake.
    """

    url: str
    connections: int = 50
    payload_octets: int = 32
    in_flight: int = 1
    rate_per_s: float = 0.0
    is_text: bool = False
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a load found while it was measured.

    octets came back, frame headers included. wrong: connections whose echo differed, and which
    were driven no further; lost: those that the server ended. missing: messages that no echo
    came for. busy: the share of one processor that the load itself took; near 1 it is the
    load that was measured.
    """

    seconds: float
    messages: int
    octets: int
    wrong: int
    lost: int
    missing: int
    busy: float
    latency: Histogram

    @property
    def messages_per_s(self) -> float:
        return self.messages / self.seconds if self.seconds else 0.0

    @property
    def is_clean(self) -> bool:
        """Whether every message came back as it was sent, and no connection was lost."""
        return not (self.wrong or self.lost or self.missing)

    def to_json(self) -> dict[str, object]:
        """Return the facts for a machine; times in microseconds."""
        facts = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "latency"
        }
        latency: dict[str, object] = {
            f"p{percent:g}": self.latency.percentile_ns(percent) / 1000 for percent in PERCENTILES
        }
        latency["mean"] = self.latency.mean_ns / 1000
        latency["max"] = self.latency.highest_ns / 1000
        latency["histogram"] = [
            [low / 1000, high / 1000, count] for low, high, count in self.latency.by_doubling()
        ]
        return facts | {"messages_per_s": self.messages_per_s, "latency_us": latency}


class Load:
    """Connections under load; open_load() makes one."""

    def __init__(self, opened: list[Opened], work: Work) -> None:
        frame, echo = frames(work)
        self._sockets = [one.socket for one in opened]
        self._engine = Engine(
            self._sockets, frame, echo, in_flight=work.in_flight, rate_per_s=work.rate_per_s
        )
        for index, one in enumerate(opened):
            self._engine.receive(index, one.early)
        self._start_s = time.monotonic()
        self._start_busy_s = time.process_time()
        self._seconds = 0.0
        self._busy_s = 0.0

    def drive(
        self,
        seconds: float,
        *,
        messages: int | None = None,
        on_slice: Callable[[Load], None] | None = None,
    ) -> None:
        """Send and check for so long, or until so many messages are back, or nothing is left.

        on_slice is called about four times a second.
        """
        if messages is not None:
            self._engine.allow(max(messages - self._engine.outstanding, 0))
        until_s = time.monotonic() + seconds
        has_work = True
        try:
            while has_work and (left_s := until_s - time.monotonic()) > 0:
                has_work = self._engine.run(min(left_s, SLICE_S))
                if on_slice is not None:
                    self._stop_clock()
                    on_slice(self)
        finally:
            self._stop_clock()

    def restart(self) -> None:
        """Count from now on, as after a warm-up."""
        self._engine.restart()
        self._start_s = time.monotonic()
        self._start_busy_s = time.process_time()
        self._stop_clock()

    def result(self) -> Result:
        """Return what was found since the start, up to the last drive()."""
        engine = self._engine
        return Result(
            seconds=self._seconds,
            messages=engine.messages,
            octets=engine.octets,
            wrong=engine.wrong,
            lost=engine.lost,
            missing=0,
            busy=self._busy_s / self._seconds if self._seconds else 0.0,
            latency=Histogram(engine.buckets, engine.highest_ns, engine.total_ns),
        )

    def finish(self) -> Result:
        """Wait for the echoes that are still to come, and return all that was found.

        Only what is missing, wrong or lost then may differ from result() before.
        """
        before = self.result()
        self._engine.allow(0)
        until_s = time.monotonic() + DRAIN_S
        while self._engine.outstanding and time.monotonic() < until_s:
            self._engine.run(SLICE_S)
        return dataclasses.replace(
            before,
            wrong=self._engine.wrong,
            lost=self._engine.lost,
            missing=self._engine.outstanding,
        )

    def close(self) -> None:
        """Send a Close where one may stand, and close the sockets without waiting for more."""
        close = _codec.build_frame(
            Opcode.CLOSE, build_close(CloseCode.NORMAL_CLOSURE), mask_key=MASK_KEY
        )
        for index in self._engine.at_rest:
            with contextlib.suppress(OSError):
                self._sockets[index].send(close)
        self._engine.close()
        for one in self._sockets:
            one.close()

    def _stop_clock(self) -> None:
        self._seconds = time.monotonic() - self._start_s
        self._busy_s = time.process_time() - self._start_busy_s


@contextlib.contextmanager
def open_load(work: Work, *, tls: ssl.SSLContext | None = None) -> Iterator[Load]:
    """Open the connections of a load, and close them at the end.

    tls: for wss. Raises ConnectError and RemoteProtocolError as open_connections() does.
    """
    opened = open_connections(parse_url(work.url), work.connections, tls=tls, headers=work.headers)
    load = Load(opened, work)
    try:
        yield load
    finally:
        load.close()


def frames(work: Work) -> tuple[bytes, bytes]:
    """Return the frame that is sent, and the one that must come back.

    All messages are alike.
    """
    opcode = Opcode.TEXT if work.is_text else Opcode.BINARY
    content = payload(work.payload_octets, is_text=work.is_text)
    return (
        _codec.build_frame(opcode, content, mask_key=MASK_KEY),
        _codec.build_frame(opcode, content),
    )


def payload(octets: int, *, is_text: bool) -> bytes:
    """Return the same random octets each time, or letters where it must be text."""
    content = random.Random(octets).randbytes(octets)
    return bytes(97 + octet % 26 for octet in content) if is_text else content

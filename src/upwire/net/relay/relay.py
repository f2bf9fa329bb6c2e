"""The relay: decides about a tunnel, whose octets a carrier moves.

A direction whose target does not take them stops reading its source, so that no more is held
than the buffers of the connections. No task waits for a relay: many are open, and few of them
have something to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from upwire.errors import LocalProtocolError, StreamError
from upwire.net.relay.carrier import Carrier, Cause, Owner, RelayEnd, Side
from upwire.net.relay.deadlines import Deadline, wait_until
from upwire.net.relay.engine_carrier import EngineCarrier
from upwire.net.relay.stream_carrier import StreamCarrier
from upwire.net.stream import Stream
from upwire.wire._codec import build_frame
from upwire.wire._frame_counter import FrameCounter, counting_head
from upwire.wire.frames import CloseCode, Opcode, build_close

CLOSE_TIMEOUT_S = 10.0
"""How long both sides may take to answer a Close of the relay's own."""

_EARLY_S = 0.001  # what a clock that was read twice may differ by


class _Reader(threading.local):
    """The reader of headers that the relays of a thread share."""

    def __init__(self) -> None:
        self.head = counting_head()


_reader = _Reader()


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """How a relay carries. One object serves many relays.

    idle_timeout_s: how long no octet may move in either direction; None: for ever.
    counts_frames: whether the octets are WebSocket frames; otherwise only octets are counted.
    limit_octets: how long a message may be, as it is on the wire; None: any length. One that is
    longer ends the tunnel with a Close (1009) to both sides, and does not begin to pass.
    ping_interval_s: after how long without an octet both sides get a Ping; None: never. Either's
    Pong passes on to the other, which has to expect such (RFC 6455 §5.5.3). An answer is a
    movement, so that sides that are there are not idle.
    random_octets: gives that many octets that no one can foresee, for masks (RFC 6455 §5.3).
    uses_engine: whether compiled code may carry the octets, where it can. spin_s: how long it
    then watches for more, when all that has come was served, before it lets the loop sleep: less
    latency where few connections wait for each answer, for a processor that is never idle.
    """

    idle_timeout_s: float | None = None
    counts_frames: bool = True
    limit_octets: int | None = None
    ping_interval_s: float | None = None
    random_octets: Callable[[int], bytes] = secrets.token_bytes
    uses_engine: bool = True
    spin_s: float = 0.0


class Relay:
    """Carries octets between two Streams, first those that each has read already.

    from_downstream, from_upstream: the counters, exact at any time.
    """

    __slots__ = (
        "_carrier",
        "_close_due_at_s",
        "_closing",
        "_deadline",
        "_end",
        "_ended",
        "_is_closer",
        "_options",
        "_owner",
        "_pinged_at_s",
        "from_downstream",
        "from_upstream",
    )

    def __init__(self, options: RelayOptions) -> None:
        self._options = options
        self.from_downstream = self._make_counter()
        self.from_upstream = self._make_counter()
        self._carrier: Carrier | None = None  # while it runs
        self._owner: Owner | None = None  # a method's object would weigh as much as this one
        self._end: RelayEnd | None = None
        self._ended: Side | None = None  # whose direction has ended, while the other's goes on
        self._closing: RelayEnd | None = None  # how it ends, from a Close of our own on
        self._is_closer = False  # that one was the first
        self._deadline: Deadline | None = None
        self._close_due_at_s = math.inf
        self._pinged_at_s = 0.0

    def start(self, downstream: Stream, upstream: Stream, owner: Owner) -> None:
        """Relay until both directions have ended, a connection is lost, or nothing moves.

        A half-close is passed on behind the octets before it. Both Streams are the relay's from
        now on, which closes them: its owner is told, once and not before this returns, when both
        are closed, but for what is still on its way. To be called once.
        """
        self._owner = owner
        self._carrier = self._choose_carrier(downstream, upstream)
        self._carrier.start()
        self._watch()

    def insert(self, side: Side, opcode: Opcode, payload: bytes = b"") -> None:
        """Send a control frame of our own to a side, between two of the frames that it gets.

        It waits for the end of a frame that is under way. After a Close the side gets nothing
        more; where what it got turned out to be no frames, or has ended, it gets nothing either.
        Towards the upstream the relay is the client, and masks (RFC 6455 §5.1).
        Raises LocalProtocolError where the relay does not count frames, or does not run.
        """
        if self._carrier is None or self._end is not None or not self._options.counts_frames:
            raise LocalProtocolError("a control frame needs a running relay of frames")
        passing = self.from_upstream if side is Side.DOWNSTREAM else self.from_downstream
        if passing.is_malformed:
            return
        mask_key = self._options.random_octets(4) if side is Side.UPSTREAM else None
        frame = build_frame(opcode, payload, mask_key=mask_key)
        self._carrier.insert(side, frame, is_last=opcode is Opcode.CLOSE)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """End the tunnel with a Close to both sides, whose answers may take CLOSE_TIMEOUT_S.

        What is not counted in frames is cut. A relay that closes already goes on doing so.
        """
        if not self._options.counts_frames:
            self.abort()
        elif self._carrier is not None and self._end is None and self._closing is None:
            self._close(RelayEnd(Cause.CLOSED), (Side.UPSTREAM, Side.DOWNSTREAM), code, reason)

    def abort(self) -> None:
        """End the tunnel at once; what is on its way is lost."""
        if self._carrier is not None:
            self._carrier.abort()
            self._finish(RelayEnd(Cause.CUT))

    def note_end(self, side: Side, *, can_go_on: bool) -> None:
        """Take from the carrier that a side sends nothing more."""
        assert self._carrier is not None
        if not can_go_on or self._ended is side.opposite:
            self._finish(self._ended_by(self._carrier.first_to_end() or side))
        self._ended = side

    def note_loss(self, side: Side, error: StreamError | None) -> None:
        """Take from the carrier that a connection is gone."""
        assert self._carrier is not None
        if error is None:
            self._finish(self._ended_by(self._carrier.first_to_end() or side))
        else:
            self._finish(RelayEnd(Cause.LOST, side, error))

    def note_limit(self, side: Side) -> None:
        """Take from the carrier that a message is too long: close both sides (RFC 6455 §7.4.1)."""
        is_told = self._closing is not None and self._closing.cause is Cause.TOO_BIG
        if self._end is None and not is_told:
            end = RelayEnd(Cause.TOO_BIG, side)
            self._close(end, (side.opposite, side), CloseCode.MESSAGE_TOO_BIG, "message is too big")

    def deadline_reached(self) -> None:
        """Do what is due: end what is idle or closing, ping what is silent."""
        self._deadline = None
        now_s = asyncio.get_running_loop().time() + _EARLY_S
        if self._end is not None or self._carrier is None:
            return
        if self._closing is not None:
            if now_s >= self._close_due_at_s:
                self._finish(self._closing)
        elif now_s >= self._idle_at_s(self._carrier):
            self._finish(RelayEnd(Cause.IDLE))
        elif now_s >= self._ping_at_s(self._carrier):
            self._pinged_at_s = now_s
            for side in Side:
                self.insert(side, Opcode.PING)
        self._watch()

    def _idle_at_s(self, carrier: Carrier) -> float:
        idle_timeout_s = self._options.idle_timeout_s
        return math.inf if idle_timeout_s is None else carrier.last_moved_at_s() + idle_timeout_s

    def _ping_at_s(self, carrier: Carrier) -> float:
        interval_s = self._options.ping_interval_s
        if interval_s is None or not self._options.counts_frames:
            return math.inf
        return max(carrier.last_moved_at_s(), self._pinged_at_s) + interval_s

    def _watch(self) -> None:
        """Have `deadline_reached()` called when something may be due."""
        if self._deadline is not None:
            self._deadline.drop(self)
            self._deadline = None
        if self._end is not None or self._carrier is None:
            return
        if self._closing is not None:
            due_at_s = self._close_due_at_s
        else:
            due_at_s = min(self._idle_at_s(self._carrier), self._ping_at_s(self._carrier))
        if due_at_s < math.inf:
            self._deadline = wait_until(due_at_s, self)

    def _close(self, end: RelayEnd, sides: tuple[Side, Side], code: int, reason: str) -> None:
        """Send both sides a Close, and wait for both to end; end says how the tunnel does then.

        Until then, what they still send is dropped: a connection that is closed with octets
        unread is reset, and the peer might never see why.
        """
        assert self._carrier is not None
        self._is_closer = self._carrier.first_to_close() is None
        self._closing = end
        self._close_due_at_s = asyncio.get_running_loop().time() + CLOSE_TIMEOUT_S
        for side in sides:
            self.insert(side, Opcode.CLOSE, build_close(code, reason))
        self._watch()

    def _choose_carrier(self, downstream: Stream, upstream: Stream) -> Carrier:
        streams = (downstream, upstream)
        counters = (self.from_downstream, self.from_upstream)
        if self._options.uses_engine and EngineCarrier.can_carry(*streams):
            with contextlib.suppress(OSError):  # no descriptor is left: the Streams need no more
                return EngineCarrier(self, streams, counters, spin_s=self._options.spin_s)
        return StreamCarrier(self, streams, counters)

    def _ended_by(self, side: Side) -> RelayEnd:
        assert self._carrier is not None
        return RelayEnd(Cause.ENDED, side, is_truncated=self._carrier.is_truncated(side))

    def _make_counter(self) -> FrameCounter:
        return FrameCounter(
            counts_frames=self._options.counts_frames,
            limit_octets=self._options.limit_octets,
            head=_reader.head,
        )

    def _finish(self, end: RelayEnd) -> None:
        """End in the next turn: a carrier is not stopped while it tells its news."""
        if self._end is None:
            self._end = self._closing or end
            asyncio.get_running_loop().call_soon(self._stop)

    def _stop(self) -> None:
        assert self._carrier is not None
        assert self._end is not None
        assert self._owner is not None
        closer = None if self._is_closer else self._carrier.first_to_close()
        self._carrier.stop()
        self._carrier = None
        self._watch()
        owner, self._owner = self._owner, None
        owner.relay_ended(replace(self._end, closer=closer))

"""The relay: decides about a tunnel, whose octets a carrier moves.

A direction whose target does not take them stops reading its source, so that no more is held
than the buffers of the connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

from upwire.errors import LocalProtocolError, StreamError
from upwire.net.relay.carrier import Carrier, Cause, RelayEnd, Side
from upwire.net.relay.engine_carrier import EngineCarrier
from upwire.net.relay.stream_carrier import StreamCarrier
from upwire.net.stream import Stream
from upwire.wire._codec import FrameCounter, build_frame
from upwire.wire.frames import CloseCode, Opcode, build_close

CLOSE_TIMEOUT_S = 10.0
"""How long both sides may take to answer the Close of a relay that met its limit."""


class Relay:
    """Carries octets between two Streams, first those that each has read already.

    idle_timeout_s: how long no octet may move in either direction; None: for ever.
    counts_frames: whether the octets are WebSocket frames; otherwise only octets are counted.
    limit_octets: how long a message may be, as it is on the wire; None: any length. One that is
    longer ends the tunnel with a Close (1009) to both sides, and does not begin to pass.
    random_octets: gives that many octets that no one can foresee, for masks (RFC 6455 §5.3).
    uses_engine: whether compiled code may carry the octets, where it can.

    from_downstream, from_upstream: the counters, exact at any time.
    """

    def __init__(
        self,
        downstream: Stream,
        upstream: Stream,
        *,
        idle_timeout_s: float | None,
        counts_frames: bool = True,
        limit_octets: int | None = None,
        random_octets: Callable[[int], bytes] = secrets.token_bytes,
        uses_engine: bool = True,
    ) -> None:
        self.from_downstream = FrameCounter(counts_frames=counts_frames, limit_octets=limit_octets)
        self.from_upstream = FrameCounter(counts_frames=counts_frames, limit_octets=limit_octets)
        self._streams = (downstream, upstream)
        self._counts_frames = counts_frames
        self._idle_timeout_s = idle_timeout_s
        self._random_octets = random_octets
        self._uses_engine = uses_engine
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[RelayEnd] = self._loop.create_future()
        self._ended: list[Side] = []  # whose direction has ended, in that order
        self._over_limit: Side | None = None
        self._carrier: Carrier | None = None  # while it runs
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> RelayEnd:
        """Relay until both directions have ended, a connection is lost, or nothing moves.

        A half-close is passed on behind the octets before it. Both Streams stay the caller's:
        to be closed, which sends what is still on its way. To be called once.
        """
        carrier = self._carrier = self._choose_carrier()
        try:
            carrier.start()
            self._watch_idle()
            return await self._end
        finally:
            self._carrier = None
            if self._timer is not None:
                self._timer.cancel()
            await carrier.stop()

    def insert(self, side: Side, opcode: Opcode, payload: bytes = b"") -> None:
        """Send a control frame of our own to a side, between two of the frames that it gets.

        It waits for the end of a frame that is under way. After a Close the side gets nothing
        more; where what it got turned out to be no frames, or has ended, it gets nothing either.
        Towards the upstream the relay is the client, and masks (RFC 6455 §5.1).
        Raises LocalProtocolError where the relay does not count frames, or does not run.
        """
        if self._carrier is None or not self._counts_frames:
            raise LocalProtocolError("a control frame needs a running relay of frames")
        passing = self.from_upstream if side is Side.DOWNSTREAM else self.from_downstream
        if passing.is_malformed:
            return
        mask_key = self._random_octets(4) if side is Side.UPSTREAM else None
        frame = build_frame(opcode, payload, mask_key=mask_key)
        self._carrier.insert(side, frame, is_last=opcode is Opcode.CLOSE)

    def note_end(self, side: Side, *, can_go_on: bool) -> None:
        """Take from the carrier that a side sends nothing more."""
        self._ended.append(side)
        if len(self._ended) == 2 or not can_go_on:
            self._finish(RelayEnd(Cause.ENDED, self._ended[0]))

    def note_loss(self, side: Side, error: StreamError | None) -> None:
        """Take from the carrier that a connection is gone."""
        if error is None:
            self._finish(RelayEnd(Cause.ENDED, self._ended[0] if self._ended else side))
        else:
            self._finish(RelayEnd(Cause.LOST, side, error))

    def note_limit(self, side: Side) -> None:
        """Take from the carrier that a message is too long: close both sides (RFC 6455 §7.4.1).

        Until they end, what they still send is dropped: a connection that is closed with octets
        unread is reset, and the peer might never see why.
        """
        if self._over_limit is None:
            self._over_limit = side
            close = build_close(CloseCode.MESSAGE_TOO_BIG, "message is too big")
            for receiver in (side.opposite, side):
                self.insert(receiver, Opcode.CLOSE, close)
            if self._timer is not None:
                self._timer.cancel()
            end = RelayEnd(Cause.TOO_BIG, side)
            self._timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._finish, end)

    def _choose_carrier(self) -> Carrier:
        counters = (self.from_downstream, self.from_upstream)
        if self._uses_engine and EngineCarrier.can_carry(*self._streams):
            with contextlib.suppress(OSError):  # no descriptor is left: the Streams need no more
                return EngineCarrier(self, self._streams, counters)
        return StreamCarrier(self, self._streams, counters)

    def _finish(self, end: RelayEnd) -> None:
        if self._over_limit is not None:
            end = RelayEnd(Cause.TOO_BIG, self._over_limit)
        if not self._end.done():
            self._end.set_result(end)

    def _watch_idle(self) -> None:
        """End the relay if nothing moved for the idle time, or look again when it may have."""
        if self._idle_timeout_s is None or self._over_limit is not None or self._carrier is None:
            return
        due_at_s = self._carrier.last_moved_at_s() + self._idle_timeout_s
        if due_at_s > self._loop.time():
            self._timer = self._loop.call_at(due_at_s, self._watch_idle)
        else:
            self._finish(RelayEnd(Cause.IDLE))

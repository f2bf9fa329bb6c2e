"""After 101: both connections go to the relay, and the tunnel's end is accounted for.

nginx ends both sides at the first FIN, and at a timeout with a bare FIN that no default log
explains. Here a half-close carries what is in flight, and a timeout is named at `warn`.

Many tunnels are open and idle: no task waits for one, and of its request is kept what its end
takes to be logged.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from functools import lru_cache

from upwire.conf.model import Location, LocationSettings, Server
from upwire.conf.syntax import Position
from upwire.conf.variables import Lookup
from upwire.errors import StreamError
from upwire.net.relay import Cause, Relay, RelayEnd, RelayOptions, Side
from upwire.net.stream import Keeper, Stream
from upwire.proxy.access_log import AccessLogger
from upwire.proxy.cycle import Cycle, TunnelOptions
from upwire.proxy.error_log import describe_error
from upwire.proxy.request import ClientFacts, Request, UpstreamTry
from upwire.proxy.upstream import PeerState
from upwire.proxy.variables import CHANGING, look_up
from upwire.wire._frame_counter import FrameCounter
from upwire.wire.frames import CloseCode
from upwire.wire.handshake import is_upgrade_request

_DOING = "while proxying upgraded connection"
_STATUS = 101
_CLIENT = ", client: "


class Tunnel:
    """One tunnel, from the two heads to its end."""

    __slots__ = (
        "_about",
        "_at_end",
        "_client",
        "_connection",
        "_cycle",
        "_keeper",
        "_line",
        "_peer",
        "_place",
        "_relay",
        "_settings",
    )

    def __init__(self, request: Request) -> None:
        """Take from a request what the end of its tunnel is logged with."""
        settings = request.settings
        self._cycle: Cycle = request.cycle
        self._settings: LocationSettings = settings
        self._connection = request.client.number
        is_logged = request.cycle.error_logger(settings).is_on("error")
        self._client = sys.intern(request.client.address)
        self._about = _describe_request(request) if is_logged else ""
        self._place = request.location or request.server
        self._line = _keep_line(request)
        self._at_end = tuple(request.at_end)
        request.at_end = []
        self._peer: PeerState | None = None
        self._keeper: Keeper | None = None
        self._relay = Relay(
            _relay_options(
                settings.proxy.read_timeout_s,
                is_upgrade_request(request.head),  # what else is upgraded to has other frames
                request.cycle.tunnel_options,
            )
        )

    def start(self, downstream: Stream, upstream: Stream, peer: PeerState) -> None:
        """Carry octets both ways until both sides have ended, or nothing comes any more.

        peer: who is at the other end of upstream, and has that connection until the tunnel ends.
        """
        self._peer = peer
        self._keeper = downstream.hand_over()
        counters = self._cycle.counters
        counters.active += 1
        counters.in_flight += 1
        counters.tunnel_began(self)
        self._cycle.enter()
        self._relay.start(downstream, upstream, self)

    def totals(self) -> tuple[int, int, int, int]:
        """Return messages and octets from the client, messages and octets to the client."""
        from_client, to_client = self._relay.from_downstream, self._relay.from_upstream
        return from_client.messages, from_client.octets, to_client.messages, to_client.octets

    def close(self, code: CloseCode) -> None:
        """End with a Close to both sides, and wait for theirs a while."""
        self._relay.close(code)

    def abort(self) -> None:
        """End at once."""
        self._relay.abort()

    def relay_ended(self, end: RelayEnd) -> None:
        """Account for the tunnel's end."""
        assert self._peer is not None
        self._peer.connections -= 1
        for release in self._at_end:
            release()
        self._log_end(end)
        self._write_line()
        counters = self._cycle.counters
        counters.statuses[_STATUS] += 1
        counters.active -= 1
        counters.in_flight -= 1
        counters.tunnel_ended(self)
        self._cycle.leave()
        if self._keeper is not None:
            self._keeper.stream_gone()

    def _write_line(self) -> None:
        """Write the line of the access log."""
        if self._line is not None:
            logger = self._cycle.access_logger(self._settings)
            failure = logger.write(self._line.end(logger, self._cycle, self.totals()))
            if failure is not None:
                self._log("crit", f'open() "{failure.filename}" failed ({failure.strerror})')

    def _log_end(self, end: RelayEnd) -> None:
        if end.cause is Cause.IDLE:
            timeout_s = self._settings.proxy.read_timeout_s
            reason = describe_error(OSError(errno.ETIMEDOUT, ""))
            self._log(
                "warn",
                f"upstream timed out {reason} {_DOING}: nothing moved for {timeout_s:g} s, the "
                f"proxy_read_timeout of {_describe_location(self._place)}",
            )
        elif end.cause is Cause.LOST:
            side = _describe_side(end.side)
            self._log("error", f"{side} connection lost{_describe_loss(end.error)} {_DOING}")
        elif end.cause is Cause.TOO_BIG:
            side = _describe_side(end.side)
            self._log("error", f"{side} sent a message that is too big {_DOING}")
        self._log("info", self._describe(end))

    def _describe(self, end: RelayEnd) -> str:
        """Say who ended the tunnel, and what has gone through it."""
        relay = self._relay
        first = _describe_side(end.side) if end.cause is Cause.ENDED else end.cause.name.lower()
        if end.is_truncated:
            first += " without a closure alert"
        closer = "nobody" if end.closer is None else _describe_side(end.closer)
        return (
            f"tunnel ended by {first}, first Close from {closer}, "
            f"client sent {_describe_counter(relay.from_downstream)}, "
            f"upstream sent {_describe_counter(relay.from_upstream)} {_DOING}"
        )

    def _log(self, level: str, message: str) -> None:
        logger = self._cycle.error_logger(self._settings)
        if logger.is_on(level):
            context = f"{_CLIENT}{self._client}{self._about}" if self._about else ""
            logger.write(level, message, connection=self._connection, context=context)


@dataclass(slots=True)
class _Line:
    """What a tunnel's line of the access log takes, while the tunnel is open.

    values: those of the log's `_steady()` variables, at the tunnel's start. head_octets: of the
    101.
    """

    values: tuple[str | None, ...]
    client: ClientFacts
    server: Server
    started_s: float
    head_octets: int
    tries: list[UpstreamTry]

    def end(self, logger: AccessLogger, cycle: Cycle, totals: tuple[int, int, int, int]) -> Lookup:
        """Return the variables, those that have changed since as they are now."""
        _, from_octets, _, to_octets = totals
        request = Request(cycle, self.client, None, self.server, look_up)
        request.started_s = self.started_s
        request.reply.head_octets = self.head_octets
        request.reply.body_octets = to_octets
        request.tries = self.tries
        attempt = self.tries[-1]
        attempt.sent_octets += from_octets
        attempt.received_octets += to_octets
        attempt.response_octets += to_octets
        attempt.end(cycle.clock())
        values = dict(zip(_steady(logger), self.values, strict=True))
        return lambda name: look_up(request, name) if name in CHANGING else values.get(name)


def _describe_request(request: Request) -> str:
    """Return what a line of the error log is about, behind its client.

    Clients of one application ask for the same, and all their tunnels keep it once.
    """
    return sys.intern(request.context().removeprefix(f"{_CLIENT}{request.client.address}"))


def _keep_line(request: Request) -> _Line | None:
    """Keep what the access log of a request takes; None where it writes no line."""
    logger = request.cycle.access_logger(request.settings)
    if not logger.is_on:
        return None
    return _Line(
        tuple(request.lookup(name) for name in _steady(logger)),
        request.client,
        request.server,
        request.started_s,
        request.reply.head_octets,
        request.tries,
    )


def _steady(logger: AccessLogger) -> list[str]:
    """Return the names of a log's variables that no tunnel changes, always in one order."""
    return sorted(logger.variables - CHANGING)


@lru_cache
def _relay_options(
    idle_timeout_s: float, counts_frames: bool, options: TunnelOptions
) -> RelayOptions:
    """Return options of which all alike tunnels have the same object."""
    return RelayOptions(
        idle_timeout_s=idle_timeout_s,
        counts_frames=counts_frames,
        limit_octets=options.message_limit_octets,
        ping_interval_s=options.ping_interval_s,
        spin_s=options.spin_s,
    )


def _describe_counter(counter: FrameCounter) -> str:
    close = "no Close" if counter.close_code is None else f"Close {counter.close_code}"
    control = counter.control_frames
    return (
        f"{counter.messages} messages, {control} control frames, {counter.octets} octets, {close}"
    )


def _describe_side(side: Side | None) -> str:
    return "client" if side is Side.DOWNSTREAM else "upstream"


def _describe_location(place: Location | Server) -> str:
    """Return the location as the file has it, and where: "/chat/" in nginx.conf:12."""
    if isinstance(place, Server):
        return f"the server in {_describe_place(place.position)}"
    words = [word for word in (place.kind.value, f'"{place.pattern}"') if word]
    return f"location {' '.join(words)} in {_describe_place(place.position)}"


def _describe_place(position: Position) -> str:
    return f"{position.file}:{position.line}"


def _describe_loss(error: StreamError | None) -> str:
    return f" ({error.message})" if error is not None else ""

"""After 101: both connections go to the relay, and the tunnel's end is accounted for.

nginx ends both sides at the first FIN, and at a timeout with a bare FIN that no default log
explains. Here a half-close carries what is in flight, and a timeout is named at `warn`.
"""

from __future__ import annotations

import errno

from upwire.conf.syntax import Position
from upwire.errors import StreamError
from upwire.net.relay import Cause, Relay, RelayEnd, Side
from upwire.net.stream import Stream
from upwire.proxy.error_log import describe_error
from upwire.proxy.request import Request, UpstreamTry
from upwire.wire.handshake import is_upgrade_request

_DOING = "while proxying upgraded connection"


class Tunnel:
    """One tunnel, from the two heads to its end."""

    __slots__ = ("_downstream", "_relay", "_request", "_upstream")

    def __init__(self, downstream: Stream, upstream: Stream, request: Request) -> None:
        self._downstream = downstream
        self._upstream = upstream
        self._request = request
        self._relay = Relay(
            downstream,
            upstream,
            idle_timeout_s=request.settings.proxy.read_timeout_s,
            counts_frames=is_upgrade_request(request.head),  # what else is upgraded to has others
        )

    def totals(self) -> tuple[int, int, int, int]:
        """Return messages and octets from the client, messages and octets to the client."""
        from_client, to_client = self._relay.from_downstream, self._relay.from_upstream
        return from_client.messages, from_client.octets, to_client.messages, to_client.octets

    async def run(self, attempt: UpstreamTry) -> None:
        """Carry octets both ways until both sides have ended, or nothing comes any more.

        attempt: the try that opened the tunnel; its octets are counted there.
        """
        counters = self._request.cycle.counters
        counters.tunnel_began(self)
        try:
            self._log_end(await self._relay.run())
        finally:
            self._downstream.close()
            self._upstream.close()
            counters.tunnel_ended(self)
            _, from_octets, _, to_octets = self.totals()
            self._request.reply.body_octets += to_octets
            attempt.sent_octets += from_octets
            attempt.received_octets += to_octets
            attempt.response_octets += to_octets

    def _log_end(self, end: RelayEnd) -> None:
        request = self._request
        if end.cause is Cause.IDLE:
            timeout_s = request.settings.proxy.read_timeout_s
            reason = describe_error(OSError(errno.ETIMEDOUT, ""))
            request.log(
                "warn",
                f"upstream timed out {reason} {_DOING}: nothing moved for {timeout_s:g} s, the "
                f"proxy_read_timeout of {_describe_location(request)}",
            )
        elif end.cause is Cause.LOST:
            side = _describe_side(end)
            request.log("error", f"{side} connection lost{_describe_loss(end.error)} {_DOING}")
        elif end.cause is Cause.TOO_BIG:
            side = _describe_side(end)
            request.log("error", f"{side} sent a message that is too big {_DOING}")


def _describe_side(end: RelayEnd) -> str:
    return "client" if end.side is Side.DOWNSTREAM else "upstream"


def _describe_location(request: Request) -> str:
    """Return the location as the file has it, and where: "/chat/" in nginx.conf:12."""
    if request.location is None:
        return f"the server in {_describe_place(request.server.position)}"
    location = request.location
    words = [word for word in (location.kind.value, f'"{location.pattern}"') if word]
    return f"location {' '.join(words)} in {_describe_place(location.position)}"


def _describe_place(position: Position) -> str:
    return f"{position.file}:{position.line}"


def _describe_loss(error: StreamError | None) -> str:
    return f" ({error.message})" if error is not None else ""

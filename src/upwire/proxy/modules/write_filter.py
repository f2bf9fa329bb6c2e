"""ngx_http_write_filter_module: no more octets a second to a client than `limit_rate` allows."""

from __future__ import annotations

import asyncio

from upwire.conf.values import parse_size
from upwire.conf.variables import Template
from upwire.errors import StreamError
from upwire.proxy.client_watch import ClientGone, ClientWatch
from upwire.proxy.output import Filter, OutputHead
from upwire.proxy.request import Request

_LEAST_WAIT_S = 0.001  # so that the second has begun, however clocks are rounded


def join(request: Request, head: OutputHead) -> Filter | None:
    """Settle the rate, which `set $limit_rate` or the upstream may have given, and keep to it."""
    if request.limit_rate is None:
        if request.settings.limit_rate is None:
            return None
        request.limit_rate = read_octets(request.settings.limit_rate, request)
    if not request.limit_rate or not head.has_content:
        return None
    return _Paced(
        request, request.limit_rate, read_octets(request.settings.limit_rate_after, request)
    )


def read_octets(size: Template | None, request: Request) -> int:
    """Return a size that may have variables, in octets; 0 where they make none."""
    if size is None:
        return 0
    text = size.render(request.lookup)
    try:
        return parse_size(text)
    except ValueError:
        request.log("error", f'invalid size "{text}"')
        return 0


class _Paced(Filter):
    """Waits as nginx does: a second's octets at once, then the time that they were to take."""

    __slots__ = ("_after", "_begun_s", "_client", "_not_before_s", "_rate", "_reply", "_sent")

    def __init__(self, request: Request, rate: int, after: int) -> None:
        """rate: octets a second. after: octets that do not count, those of the head among them."""
        super().__init__()
        self._rate = rate
        self._after = after
        assert request.http is not None
        self._client = request.http.stream
        self._reply = request.reply
        self._sent: int | None = None
        self._begun_s = self._not_before_s = asyncio.get_running_loop().time()

    async def send(self, octets: bytes) -> None:
        """Send octets in pieces, as far apart as the rate wants."""
        sent = self._reply.head_octets if self._sent is None else self._sent
        now_s = asyncio.get_running_loop().time
        while octets:
            room = self._room(sent, now_s())
            wait_s = max(
                self._not_before_s - now_s(), 0 if room > 0 else self._wait_s(room, now_s())
            )
            if wait_s > 0:
                await self._wait(wait_s)
                continue
            piece, octets = octets[:room], octets[room:]
            await self.next.send(piece)
            await self.next.flush()
            counted = max(sent + len(piece) - self._after, 0) - max(sent - self._after, 0)
            sent = self._sent = sent + len(piece)
            self._not_before_s = now_s() + counted / self._rate

    async def _wait(self, wait_s: float) -> None:
        """Wait, unless the client leaves: nothing else would tell of that for long."""
        try:
            with ClientWatch(self._client):
                await asyncio.sleep(wait_s)
        except ClientGone as gone:
            raise StreamError(str(gone)) from gone

    def _room(self, sent: int, now_s: float) -> int:
        """Return what whole seconds allow, the one that has begun included."""
        return self._rate * (int(now_s - self._begun_s) + 1) - (sent - self._after)

    def _wait_s(self, room: int, now_s: float) -> float:
        """Return how long it is to the second in which there is room again."""
        seconds = int(now_s - self._begun_s) + 1 + -room // self._rate
        return self._begun_s + seconds - now_s + _LEAST_WAIT_S

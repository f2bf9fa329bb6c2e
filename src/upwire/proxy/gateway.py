"""One request on its way through an upstream: over as many peers as it takes, and back."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache, partial

from upwire.errors import ConnectError, RemoteProtocolError, StreamError
from upwire.net.dial import dial
from upwire.net.http1 import HttpClientConnection
from upwire.net.tls import client_context
from upwire.proxy import failure
from upwire.proxy.body import Body
from upwire.proxy.client_watch import ClientWatch
from upwire.proxy.failure import TryFailed
from upwire.proxy.headers import (
    downstream_fields,
    head_octets,
    switch_fault,
    upstream_request,
)
from upwire.proxy.request import Handled, Outcome, Request, UpstreamTry
from upwire.proxy.response import (
    absolute_location,
    build_head,
    finish,
    note_head,
    send,
    start_response,
)
from upwire.proxy.special_response import has_error_page
from upwire.proxy.tunnel import Tunnel
from upwire.proxy.upstream import Hold, Upstreams
from upwire.wire.http1 import HeadLimits, ResponseHead

# What a retry could do twice over, unless `proxy_next_upstream non_idempotent`.
_NOT_IDEMPOTENT = frozenset({"POST", "LOCK", "PATCH"})
_FIELDS_MAX = 1000  # proxy_buffer_size is the limit that counts


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes. server_hostname: the name for TLS, None in the clear."""

    upstreams: Upstreams
    target: str
    server_hostname: str | None


class Gateway:
    """One request on its way through an upstream, from the first try to the last octet."""

    __slots__ = ("_body", "_destination", "_is_sent", "_request", "_selection", "_started_s")

    def __init__(self, request: Request, destination: Destination, body: Body) -> None:
        self._request = request
        self._destination = destination
        self._body = body
        self._selection = destination.upstreams.select(request.lookup)
        self._started_s = request.cycle.clock()
        self._is_sent = False

    async def run(self) -> Handled:
        """Ask peers until one answers, and pass its answer on; TryFailed where none does."""
        while True:
            hold = self._next_peer()
            self._request.hold = hold
            attempt = self._request.tries[-1]
            try:
                head = await self._ask(hold, attempt)
            except TryFailed as failed:
                attempt.status = failed.status
                self._settle(attempt)
                self._give_up(hold, failed)
                continue
            if (kind := self._retry_kind(head.status)) is not None:
                self._settle(attempt)
                self._release(hold, has_failed=kind not in ("http_403", "http_404"))
                continue
            return await self._pass_on(hold, attempt, head)

    def _next_peer(self) -> Hold:
        """Take the next peer in hand; TryFailed where none is left that could take it."""
        state = self._selection.next()
        if state is None:
            self._begin_try(self._destination.upstreams.name).status = 502
            raise TryFailed("error", "no live upstreams", failure.CONNECTING)
        self._begin_try(str(state.address))
        return Hold(self._selection, state)

    def _begin_try(self, address: str) -> UpstreamTry:
        attempt = UpstreamTry(address, self._request.cycle.clock())
        self._request.tries.append(attempt)
        return attempt

    async def _ask(self, hold: Hold, attempt: UpstreamTry) -> ResponseHead:
        """Send the request to one peer and return its answer's head; TryFailed for none."""
        request = self._request
        assert request.http is not None
        if request.settings.proxy.ignore_client_abort or request.main is not request:
            return await self._converse(hold, attempt)
        if not self._body.can_repeat:
            await self._connect(hold, attempt)
            await self._send(hold, attempt)
        with ClientWatch(request.http.stream):
            return await self._converse(hold, attempt)

    async def _converse(self, hold: Hold, attempt: UpstreamTry) -> ResponseHead:
        if hold.connection is None:
            await self._connect(hold, attempt)
            await self._send(hold, attempt)
        return await self._read_head(hold, attempt)

    async def _connect(self, hold: Hold, attempt: UpstreamTry) -> None:
        proxy = self._request.settings.proxy
        hostname = self._destination.server_hostname
        if hold.take_idle(hostname):
            attempt.connect_time_s = 0.0
            return
        address = hold.state.address
        try:
            stream = await dial(
                address.host,
                address.port,
                unix=address.unix,
                tls=_tls_context() if hostname is not None else None,
                server_hostname=hostname,
                timeout_s=proxy.connect_timeout_s,
            )
        except ConnectError as error:
            raise failure.not_connected(error) from error
        attempt.connect_time_s = self._elapsed_s(attempt)
        limits = HeadLimits(
            line_octets=proxy.buffer_octets,
            head_octets=proxy.buffer_octets,
            field_count=_FIELDS_MAX,
            start_line_status=failure.TOO_BIG,
            field_status=failure.TOO_BIG,
            accepts_loose_lines=True,
        )
        http = HttpClientConnection(stream, limits=limits, send_timeout_s=proxy.send_timeout_s)
        hold.use(http, hostname)

    async def _send(self, hold: Hold, attempt: UpstreamTry) -> None:
        """Send the request's head and content."""
        request = self._request
        connection = _http_of(hold)
        request.passed_octets = self._body.octets if self._body.is_declared else None
        request.passed_is_chunked = self._body.octets is None
        head = upstream_request(
            request.head,
            request.settings.proxy,
            target=self._destination.target,
            lookup=request.lookup,
        )
        request.passed_request = head
        attempt.sent_octets = head_octets(f"{head.method} {head.target} HTTP/1.1", head.headers)
        try:
            self._is_sent = True
            await connection.send_head(head)
            async for piece in self._body.pieces():
                await connection.send(piece)
                attempt.sent_octets += len(piece)
            await connection.finish()
        except StreamError as error:
            if error.is_timeout or not connection.has_answer_begun:
                raise failure.not_sent(error) from error

    async def _read_head(self, hold: Hold, attempt: UpstreamTry) -> ResponseHead:
        timeout_s = self._request.settings.proxy.read_timeout_s
        try:
            head = await _http_of(hold).read_head(timeout_s=timeout_s)
        except StreamError as error:
            raise failure.not_read(error, failure.READING_HEAD) from error
        except RemoteProtocolError as error:
            raise failure.not_understood(error) from error
        attempt.header_time_s = self._elapsed_s(attempt)
        attempt.status = head.status
        attempt.received_octets = head_octets(f"HTTP/1.1 {head.status} {head.reason}", head.headers)
        self._request.upstream_fields = head.headers
        return head

    def _give_up(self, hold: Hold, failed: TryFailed) -> None:
        """Release a peer that failed; raises the failure again where no other may be asked."""
        if self._release(hold, has_failed=True, is_lost=failed.kind == "error"):
            message = f"upstream server temporarily disabled while {failed.doing}"
            self._request.log("warn", message)
        if not self._may_retry(failed.kind):
            raise failed
        self._request.log("error", failed.message)

    def _retry_kind(self, status: int) -> str | None:
        """Return a status as `proxy_next_upstream` names it, where another peer may be asked."""
        kind = f"http_{status}"
        is_listed = kind in self._request.settings.proxy.next_upstream
        return (
            kind if is_listed and self._selection.tries_left > 1 and self._may_retry(kind) else None
        )

    def _may_retry(self, kind: str) -> bool:
        """Whether `proxy_next_upstream` lets the request go to another peer."""
        proxy = self._request.settings.proxy
        words = proxy.next_upstream
        is_unsafe = self._is_sent and self._request.method in _NOT_IDEMPOTENT
        tried = len(self._request.tries)
        waited_s = self._request.cycle.clock() - self._started_s
        return (
            self._selection.tries_left > 0
            and kind in words
            and (not is_unsafe or "non_idempotent" in words)
            and (not self._is_sent or self._body.can_repeat)
            and not (proxy.next_upstream_tries and tried >= proxy.next_upstream_tries)
            and not (proxy.next_upstream_timeout_s and waited_s >= proxy.next_upstream_timeout_s)
        )

    async def _pass_on(self, hold: Hold, attempt: UpstreamTry, head: ResponseHead) -> Handled:
        """Send the upstream's answer to the client, or switch to the tunnel."""
        request = self._request
        if head.status == 101 and request.main is not request:
            raise TryFailed("error", "connection upgrade in subrequest", failure.READING_HEAD)
        if head.status == 101:
            return await self._switch(hold, attempt, head)
        if request.settings.proxy.intercept_errors and has_error_page(request, head.status):
            challenges = head.headers.get_all("WWW-Authenticate")
            request.added_fields += [("WWW-Authenticate", value) for value in challenges]
            self._settle(attempt)
            return head.status
        fields = downstream_fields(
            head, request.settings.proxy, request.lookup, partial(absolute_location, request)
        )
        await start_response(request, head.status, fields, length=None, reason=head.reason)
        connection = _http_of(hold)
        timeout_s = request.settings.proxy.read_timeout_s
        try:
            while octets := await _read_content(connection, timeout_s):
                attempt.response_octets += len(octets)
                attempt.received_octets += len(octets)
                await send(request, octets)
        finally:
            self._settle(attempt)
        await finish(request)
        self._release(hold, has_failed=False)
        return Outcome.DONE

    async def _switch(self, hold: Hold, attempt: UpstreamTry, head: ResponseHead) -> Handled:
        """Open the tunnel, where the upstream's 101 is right."""
        request = self._request
        assert request.http is not None
        fault = switch_fault(request.head, head)
        if fault is not None:
            raise TryFailed("invalid_header", fault, failure.READING_HEAD)
        fields = downstream_fields(
            head, request.settings.proxy, request.lookup, partial(absolute_location, request)
        )
        fields.append(("Connection", "upgrade"))
        sent = build_head(request, 101, fields, length=None, reason=head.reason)
        request.reply.is_started = True
        note_head(request, sent)
        upstream = _http_of(hold).switch()
        try:
            downstream = await request.http.switch(sent)
            await Tunnel(downstream, upstream, request).run(attempt)
        finally:
            self._settle(attempt)
            self._release(hold, has_failed=False)
        return Outcome.DONE

    def _release(self, hold: Hold, *, has_failed: bool, is_lost: bool = False) -> bool:
        self._request.hold = None
        return hold.release(has_failed=has_failed, is_lost=is_lost)

    def _settle(self, attempt: UpstreamTry) -> None:
        attempt.end(self._request.cycle.clock())

    def _elapsed_s(self, attempt: UpstreamTry) -> float:
        return self._request.cycle.clock() - attempt.started_s


def _http_of(hold: Hold) -> HttpClientConnection:
    assert hold.connection is not None
    return hold.connection.http


async def _read_content(connection: HttpClientConnection, timeout_s: float) -> bytes:
    try:
        return await connection.read(timeout_s=timeout_s)
    except StreamError as error:
        raise failure.not_read(error, failure.READING_BODY) from error
    except RemoteProtocolError as error:
        reason = f"upstream sent invalid chunked response: {error.message}"
        raise TryFailed("error", reason, failure.READING_BODY) from error


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """Return the context for https:// upstreams: not verified, nginx's `proxy_ssl_verify off`."""
    return client_context(is_verified=False)

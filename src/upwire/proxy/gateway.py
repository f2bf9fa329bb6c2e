"""One request on its way through an upstream: over as many peers as it takes, and back."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

from upwire.conf.model import LocationSettings
from upwire.errors import ConnectError, RemoteProtocolError, StreamError
from upwire.net.dial import dial
from upwire.net.http1 import HttpClientConnection
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
from upwire.proxy.local_end import keep_alive, local_end
from upwire.proxy.passing import Answer, pass_on
from upwire.proxy.request import Handled, Outcome, Request, UpstreamTry
from upwire.proxy.response import absolute_location, build_head, note_head, respond
from upwire.proxy.tls.files import CannotLoad
from upwire.proxy.tls.upstream import UpstreamTls
from upwire.proxy.tunnel import Tunnel
from upwire.proxy.upstream import Hold, Upstreams
from upwire.wire.http1 import LAST_CHUNK, HeadLimits, RequestHead, ResponseHead, encode_chunk

# What a retry could do twice over, unless `proxy_next_upstream non_idempotent`.
_NOT_IDEMPOTENT = frozenset({"POST", "LOCK", "PATCH"})
_FIELDS_MAX = 1000  # proxy_buffer_size is the limit that counts


class Destination(NamedTuple):
    """Where a request goes. tls_name: the host of an https:// URL, None in the clear."""

    upstreams: Upstreams
    target: str
    tls_name: str | None


class Gateway:
    """One request on its way through an upstream, from the first try to the last octet."""

    __slots__ = (
        *("_body", "_destination", "_early", "_is_sent", "_request", "_selection", "_started_s"),
        "_tries",
    )

    def __init__(self, request: Request, destination: Destination, body: Body) -> None:
        self._request = request
        self._destination = destination
        self._body = body
        self._selection = destination.upstreams.select(request.lookup)
        self._started_s = request.cycle.clock()
        self._early: asyncio.Task[ResponseHead] | None = None  # what came before all was sent
        self._is_sent = False
        self._tries = 0

    async def run(self) -> Handled:
        """Ask peers until one answers, and pass its answer on; TryFailed where none does."""
        while True:
            hold, attempt = self._next_peer()
            self._request.hold = hold
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
            if head.status == 101:
                return await self._switch(hold, attempt, head)
            release = partial(self._finish, hold, attempt)
            return await pass_on(self._request, Answer(_http_of(hold), head, attempt, release))

    def _next_peer(self) -> tuple[Hold, UpstreamTry]:
        """Take the next peer in hand; TryFailed where none is left that could take it."""
        state = self._selection.next()
        if state is None:
            self._begin_try(self._destination.upstreams.name).status = 502
            raise TryFailed("error", "no live upstreams", failure.CONNECTING)
        return Hold(self._selection, state), self._begin_try(state.name)

    def _begin_try(self, address: str) -> UpstreamTry:
        attempt = UpstreamTry(address, self._request.cycle.clock(), is_first=not self._tries)
        self._tries += 1
        self._request.tries.append(attempt)
        return attempt

    async def _ask(self, hold: Hold, attempt: UpstreamTry) -> ResponseHead:
        """Send the request to one peer and return its answer's head; TryFailed for none."""
        if not self._body.can_repeat:  # reading the content notices a client that leaves
            await self._connect(hold, attempt)
            await self._send(hold, attempt)
        with self._watch():
            if hold.connection is None:
                await self._connect(hold, attempt)
                await self._send(hold, attempt)
            return await self._read_head(hold, attempt)

    def _watch(self) -> AbstractContextManager[object]:
        """Return what notices a client that leaves, unless nobody wants to know."""
        request = self._request
        assert request.http is not None
        if request.settings.proxy.ignore_client_abort or request.main is not request:
            return nullcontext()
        return ClientWatch(request.http.stream)

    async def _connect(self, hold: Hold, attempt: UpstreamTry) -> None:
        proxy = self._request.settings.proxy
        tls = self._begin_tls()
        group = (tls.group if tls is not None else None, self._keeper)
        if hold.take_idle(group):
            attempt.connect_time_s = 0.0
            return
        address = hold.state.address
        local = local_end(self._request)
        try:
            stream = await dial(
                address.host,
                address.port,
                unix=address.unix,
                timeout_s=proxy.connect_timeout_s,
                local_address=local.address,
                local_port=local.port,
                is_transparent=local.is_transparent,
            )
        except ConnectError as error:
            raise failure.not_connected(error) from error
        if proxy.socket_keepalive:
            keep_alive(stream)
        if tls is not None:
            stream = await tls.start(stream, address, proxy.connect_timeout_s)
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
        hold.use(http, group)

    @property
    def _keeper(self) -> LocationSettings | None:
        """Whose kept connections may be used: the location's own with `keepalive ... local`."""
        keepalive = self._destination.upstreams.keepalive
        is_local = keepalive is not None and keepalive.is_local
        return self._request.settings if is_local else None

    def _begin_tls(self) -> UpstreamTls | None:
        """Return TLS for an https:// URL; TryFailed where its certificate cannot be loaded."""
        name = self._destination.tls_name
        if name is None:
            return None
        try:
            return UpstreamTls(self._request, name)
        except CannotLoad as error:
            raise TryFailed("error", str(error), failure.SHAKING_HANDS) from error

    async def _send(self, hold: Hold, attempt: UpstreamTry) -> None:
        """Send the request's head and content, in one write where the content is here already."""
        self._early = None
        connection, body = _http_of(hold), self._body
        head = self._make_head()
        attempt.sent_octets = head_octets(f"{head.method} {head.target} HTTP/1.1", head.headers)
        self._is_sent = True
        try:
            if body.memory is not None:
                await connection.send_head(head, body.memory)
                attempt.sent_octets += len(body.memory)
                await connection.finish()
            else:
                await self._send_pieces(connection, head, attempt)
        except StreamError as error:
            if error.is_timeout or not connection.has_answer_begun:
                raise failure.not_sent(error) from error

    def _make_head(self) -> RequestHead:
        """Return the head that the upstream gets; the variables about it are known from here on."""
        request = self._request
        request.passed_octets = self._body.octets if self._body.is_declared else None
        request.passed_is_chunked = self._body.octets is None
        head = upstream_request(
            request.head,
            request.settings.proxy,
            method=request.method,
            target=self._destination.target,
            lookup=request.lookup,
        )
        request.passed_request = head
        return head

    async def _send_pieces(
        self, connection: HttpClientConnection, head: RequestHead, attempt: UpstreamTry
    ) -> None:
        """Send the head and the content; an answer that comes before its end makes that the end."""
        # The first step of this task comes before the loop sends a head whose content is at hand.
        rest = asyncio.create_task(self._send_rest(connection, attempt))
        tasks: list[asyncio.Task[object]] = [rest]
        try:
            await connection.send_head(head)
            answer = asyncio.create_task(connection.read_head(timeout_s=None))
            tasks.append(answer)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                self._early = answer
            if rest.done():
                rest.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_rest(self, connection: HttpClientConnection, attempt: UpstreamTry) -> None:
        async for piece in self._body.pieces():
            await connection.send(piece)
            attempt.sent_octets += self._framed_octets(piece)
        await connection.finish()
        if self._body.octets is None:
            attempt.sent_octets += len(LAST_CHUNK)

    def _framed_octets(self, piece: bytes) -> int:
        """Return how many octets a piece of the content takes on the wire."""
        return len(piece) if self._body.octets is not None else len(encode_chunk(piece))

    async def _read_head(self, hold: Hold, attempt: UpstreamTry) -> ResponseHead:
        timeout_s = self._request.settings.proxy.read_timeout_s
        http = _http_of(hold)
        try:
            if self._early is not None:
                head = self._early.result()
            else:
                head = await http.read_head(timeout_s=timeout_s)
        except StreamError as error:
            raise failure.not_read(error, failure.READING_HEAD) from error
        except RemoteProtocolError as error:
            raise failure.not_understood(error) from error
        attempt.header_time_s = self._elapsed_s(attempt)
        attempt.status = head.status
        attempt.received_octets = http.received_octets
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
        waited_s = self._request.cycle.clock() - self._started_s
        return (
            self._selection.tries_left > 0
            and kind in words
            and (not is_unsafe or "non_idempotent" in words)
            and (not self._is_sent or self._body.can_repeat)
            and not (proxy.next_upstream_tries and self._tries >= proxy.next_upstream_tries)
            and not (proxy.next_upstream_timeout_s and waited_s >= proxy.next_upstream_timeout_s)
        )

    def _finish(self, hold: Hold, attempt: UpstreamTry) -> None:
        """Give the peer back after a whole answer, unless that was done."""
        if self._request.hold is hold:
            self._settle(attempt)
            self._release(hold, has_failed=False)

    async def _switch(self, hold: Hold, attempt: UpstreamTry, head: ResponseHead) -> Handled:
        """Open the tunnel, where the upstream's 101 is right."""
        request = self._request
        if request.main is not request:
            raise TryFailed("error", "connection upgrade in subrequest", failure.READING_HEAD)
        assert request.http is not None
        fault = switch_fault(request.head, head)
        if fault is not None and "Upgrade" not in request.head.headers:
            return await self._refuse_switch(hold, attempt, fault)
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
        except StreamError:
            self._settle(attempt)
            self._release(hold, has_failed=False)
            raise
        request.hold = None
        request.is_switched = True
        Tunnel(request).start(downstream, upstream, hold.leave_connection())
        return Outcome.DONE

    async def _refuse_switch(self, hold: Hold, attempt: UpstreamTry, fault: str) -> Handled:
        """Answer 502 to who did not ask for the upstream's 101.

        It has no page: nginx passes such a 101 on, and no content with it, as its logs have it.
        """
        self._settle(attempt)
        self._release(hold, has_failed=True)
        self._request.log("error", f"{fault} while {failure.READING_HEAD}")
        await respond(self._request, 502, [("Connection", "close")], b"")
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

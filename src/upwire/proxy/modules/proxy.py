"""ngx_http_proxy_module: one request through an upstream, over as many peers as it takes."""

from __future__ import annotations

import errno
import re
import ssl
from dataclasses import dataclass
from functools import lru_cache, partial

from upwire.conf.model import ProxyPass
from upwire.errors import ConnectError, RemoteProtocolError, StreamError
from upwire.net.dial import dial
from upwire.net.http1 import HttpClientConnection
from upwire.net.tls import client_context
from upwire.proxy.body import Body, BodyRefused, read_body
from upwire.proxy.client_watch import ClientGone, ClientWatch
from upwire.proxy.error_log import describe_error
from upwire.proxy.headers import downstream_fields, upstream_request, upstream_target
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
from upwire.wire.http1 import BodyKind, HeadLimits, ResponseHead

_CONNECTING = "connecting to upstream"
_SHAKING_HANDS = "SSL handshaking to upstream"
_SENDING = "sending request to upstream"
_READING_HEAD = "reading response header from upstream"
_READING_BODY = "reading upstream"
# What a retry could do twice over, unless `proxy_next_upstream non_idempotent`.
_NOT_IDEMPOTENT = frozenset({"POST", "LOCK", "PATCH"})
_TOO_BIG = 431
_FIELDS_MAX = 1000  # proxy_buffer_size is the limit that counts
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]+\]|[^/?:]+)(?::(?P<port>\d+))?(?P<uri>[/?].*)?",
    re.IGNORECASE,
)


@dataclass(slots=True)
class TryFailed(Exception):
    """A peer gave no response. kind is a word of `proxy_next_upstream`."""

    kind: str
    message: str

    @property
    def status(self) -> int:
        """What the client gets when no other peer is asked."""
        return 504 if self.kind == "timeout" else 502


async def answer(request: Request) -> Handled:
    """Answer from the upstream in a location that has `proxy_pass`."""
    passed = request.settings.proxy.pass_
    if passed is None:
        return None
    body: Body | None = None
    try:
        destination = _find_destination(request, passed)
        body = await read_body(request)
        return await _Gateway(request, destination, body).run()
    except TryFailed as failure:
        request.log("error", failure.message)
        return _cut(request, failure.status) if request.reply.is_started else failure.status
    except BodyRefused as refusal:
        return refusal.status or _cut(request, 400)
    except ClientGone as gone:
        request.log("info", f"{gone}, so upstream connection is closed too")
        return _cut(request, 499)
    finally:
        if body is not None:
            body.close()


def _cut(request: Request, status: int) -> Outcome:
    """End the connection without more octets; status is for the log."""
    if not request.reply.is_started:
        request.reply.status = status
    request.reply.is_cut = True
    return Outcome.DONE


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where a request goes. server_hostname: the name for TLS, None in the clear."""

    upstreams: Upstreams
    target: str
    server_hostname: str | None


def _find_destination(request: Request, passed: ProxyPass) -> _Destination:
    """Return where `proxy_pass` sends the request; TryFailed where variables give no address."""
    if passed.template is not None:
        return _find_variable_destination(request, passed.template.render(request.lookup))
    location = request.location
    target = upstream_target(
        passed,
        prefix=location.pattern if location is not None else "",
        uri=request.uri,
        args=request.args,
        request_uri="" if request.is_uri_changed else request.target.request_uri,
        is_escaped=request.target.is_escaped,
    )
    hostname = passed.authority.partition(":")[0] if passed.scheme == "https" else None
    return _Destination(request.cycle.upstreams_of(passed), target, hostname)


def _find_variable_destination(request: Request, url: str) -> _Destination:
    match = _URL.fullmatch(url)
    if match is None:
        request.log("error", f'invalid URL prefix in "{url}"')
        raise TryFailed("error", f'no address in "{url}" to pass the request to')
    is_tls = match["scheme"] == "https"
    host = match["host"]
    port = int(match["port"] or (443 if is_tls else 80))
    try:
        upstreams = request.cycle.upstreams_for(host, port)
    except OSError:
        raise TryFailed("error", f"{host} could not be resolved") from None
    target = match["uri"] or request.target.request_uri
    if target.startswith("?"):
        target = "/" + target
    return _Destination(upstreams, target, host if is_tls else None)


class _Gateway:
    """One request on its way through an upstream, from the first try to the last octet."""

    __slots__ = ("_body", "_destination", "_is_sent", "_request", "_selection", "_started_s")

    def __init__(self, request: Request, destination: _Destination, body: Body) -> None:
        self._request = request
        self._destination = destination
        self._body = body
        self._selection = destination.upstreams.select()
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
            except TryFailed as failure:
                attempt.status = failure.status
                self._settle(attempt)
                self._give_up(hold, failure)
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
            raise TryFailed("error", f"no live upstreams while {_CONNECTING}")
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
        if request.settings.proxy.ignore_client_abort:
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
            raise _connect_failure(error) from error
        attempt.connect_time_s = self._elapsed_s(attempt)
        limits = HeadLimits(
            line_octets=proxy.buffer_octets,
            head_octets=proxy.buffer_octets,
            field_count=_FIELDS_MAX,
            start_line_status=_TOO_BIG,
            field_status=_TOO_BIG,
            accepts_loose_lines=True,
        )
        http = HttpClientConnection(stream, limits=limits, send_timeout_s=proxy.send_timeout_s)
        hold.use(http, hostname)

    async def _send(self, hold: Hold, attempt: UpstreamTry) -> None:
        """Send the request's head and content."""
        request = self._request
        connection = _http_of(hold)
        request.passed_octets = self._body.octets if self._has_body else None
        request.passed_is_chunked = self._body.octets is None
        head = upstream_request(
            request.head,
            request.settings.proxy,
            target=self._destination.target,
            lookup=request.lookup,
        )
        request.passed_request = head
        try:
            self._is_sent = True
            await connection.send_head(head)
            async for piece in self._body.pieces():
                await connection.send(piece)
                attempt.sent_octets += len(piece)
            await connection.finish()
        except StreamError as error:
            if error.is_timeout:
                raise _timed_out(_SENDING) from error
            if not connection.has_answer_begun:
                raise TryFailed(
                    "error", f"{_system_words(error, 'send')} while {_SENDING}"
                ) from error

    @property
    def _has_body(self) -> bool:
        http = self._request.http
        return http is not None and http.framing.kind is not BodyKind.NONE

    async def _read_head(self, hold: Hold, attempt: UpstreamTry) -> ResponseHead:
        timeout_s = self._request.settings.proxy.read_timeout_s
        try:
            head = await _http_of(hold).read_head(timeout_s=timeout_s)
        except StreamError as error:
            raise _read_failure(error, _READING_HEAD) from error
        except RemoteProtocolError as error:
            fault = "too big header" if error.status == _TOO_BIG else f"invalid header: {error}"
            raise TryFailed(
                "invalid_header", f"upstream sent {fault} while {_READING_HEAD}"
            ) from error
        attempt.header_time_s = self._elapsed_s(attempt)
        attempt.status = head.status
        self._request.upstream_fields = head.headers
        return head

    def _give_up(self, hold: Hold, failure: TryFailed) -> None:
        """Release a peer that failed; raises the failure again where no other may be asked."""
        was_reused = hold.connection is not None and hold.connection.is_reused
        if self._release(hold, has_failed=True):
            self._request.log("warn", "upstream server temporarily disabled")
        if not self._may_retry(failure.kind, was_reused=was_reused):
            raise failure
        self._request.log("error", failure.message)

    def _retry_kind(self, status: int) -> str | None:
        """Return a status as `proxy_next_upstream` names it, where another peer may be asked."""
        kind = f"http_{status}"
        is_listed = kind in self._request.settings.proxy.next_upstream
        return (
            kind if is_listed and self._selection.tries_left > 1 and self._may_retry(kind) else None
        )

    def _may_retry(self, kind: str, *, was_reused: bool = False) -> bool:
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
        if head.status == 101:
            return await self._switch(hold, attempt, head)
        if request.settings.proxy.intercept_errors and has_error_page(request, head.status):
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
                await send(request, octets)
        finally:
            self._settle(attempt)
        await finish(request)
        self._release(hold, has_failed=False)
        return Outcome.DONE

    async def _switch(self, hold: Hold, attempt: UpstreamTry, head: ResponseHead) -> Handled:
        """Open the tunnel. nginx passes a 101 on to a client that asked for none; we refuse."""
        request = self._request
        assert request.http is not None
        if "Upgrade" not in request.head.headers:
            raise TryFailed(
                "invalid_header", f"upstream switched protocols unasked while {_READING_HEAD}"
            )
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

    def _release(self, hold: Hold, *, has_failed: bool) -> bool:
        self._request.hold = None
        return hold.release(has_failed=has_failed)

    def _settle(self, attempt: UpstreamTry) -> None:
        attempt.response_time_s = self._elapsed_s(attempt)

    def _elapsed_s(self, attempt: UpstreamTry) -> float:
        return self._request.cycle.clock() - attempt.started_s


def _http_of(hold: Hold) -> HttpClientConnection:
    assert hold.connection is not None
    return hold.connection.http


async def _read_content(connection: HttpClientConnection, timeout_s: float) -> bytes:
    try:
        return await connection.read(timeout_s=timeout_s)
    except StreamError as error:
        raise _read_failure(error, _READING_BODY) from error
    except RemoteProtocolError as error:
        raise TryFailed("error", f"upstream sent invalid chunked response: {error}") from error


def _connect_failure(error: ConnectError) -> TryFailed:
    if error.is_timeout and error.phase != "resolving":
        return _timed_out(_CONNECTING if error.phase == "connecting" else _SHAKING_HANDS)
    cause = error.__cause__
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno:
        return TryFailed("error", f"connect() failed {describe_error(cause)} while {_CONNECTING}")
    return TryFailed("error", f"{error} while {_CONNECTING}")


def _read_failure(error: StreamError, doing: str) -> TryFailed:
    if error.is_timeout:
        return _timed_out(doing)
    return TryFailed("error", f"{_system_words(error, 'recv')} while {doing}")


def _timed_out(doing: str) -> TryFailed:
    reason = OSError(errno.ETIMEDOUT, "")
    return TryFailed("timeout", f"upstream timed out {describe_error(reason)} while {doing}")


def _system_words(error: StreamError, call: str) -> str:
    """Say why a connection ended: nginx names the system call that failed, if one did."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno:
        return f"{call}() failed {describe_error(cause)}"
    return "upstream prematurely closed connection"


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """Return the context for https:// upstreams: not verified, nginx's `proxy_ssl_verify off`."""
    return client_context(is_verified=False)

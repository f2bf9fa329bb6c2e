"""One connection of a client: its limits, its requests, and its answers to what is no request."""

from __future__ import annotations

import time
from collections.abc import Callable

from upwire.conf.model import Server
from upwire.errors import RemoteProtocolError
from upwire.net.http1 import HttpConnection, HttpExchange, HttpTimeouts
from upwire.net.stream import Address, Stream
from upwire.proxy.cycle import Cycle
from upwire.proxy.exchange import Exchange
from upwire.proxy.proxy_protocol import read_proxy_header
from upwire.proxy.request import ClientFacts, Request
from upwire.proxy.response import build_head, note_head, server_signature
from upwire.proxy.route import ListenAddress
from upwire.proxy.special_response import client_fault, page_content
from upwire.proxy.tls.handshake import shake_hands
from upwire.proxy.variables import look_up
from upwire.wire.http1 import HeadLimits, RequestHead, ResponseHead

_FIELDS_TOO_LARGE = 494
_TIMED_OUT = 408


async def accept(
    stream: Stream, bound: ListenAddress, number: int, current: Callable[[], Cycle]
) -> Downstream | None:
    """Return a client's connection, ready for requests.

    None where what comes before them failed: the PROXY protocol, or the TLS handshake.
    """
    cycle = current()
    client = _meet(stream, bound, number, cycle)
    if client.servers.is_proxied and not await read_proxy_header(stream, client, cycle):
        return None
    upper: Stream | None = stream
    if client.servers.is_tls:
        upper = await shake_hands(stream, client, cycle)
    return Downstream(upper, bound, number, current, client) if upper is not None else None


class Downstream:
    """A client's connection, from the end of its TLS handshake, where there is one, to its own.

    current: gives the configuration that holds now; each request is answered by that one.
    client: what is known already.
    """

    __slots__ = ("_accepted_in", "_answered", "_bound", "_client", "_current", "http")

    def __init__(
        self,
        stream: Stream,
        bound: ListenAddress,
        number: int,
        current: Callable[[], Cycle],
        client: ClientFacts | None = None,
    ) -> None:
        self._bound = bound
        self._current = current
        self._accepted_in = current()
        self._answered = 0
        self._client = client or _meet(stream, bound, number, self._accepted_in)
        server = self._server
        settings = server.settings
        self.http = HttpConnection(
            stream,
            limits=head_limits(server),
            timeouts=HttpTimeouts(
                head_s=server.client_header_timeout_s,
                idle_s=settings.keepalive_timeout_s,
                body_s=settings.client_body_timeout_s,
                send_s=settings.send_timeout_s,
            ),
            requests_max=settings.keepalive_requests if settings.keepalive_timeout_s else 1,
            error_response=self._refuse,
        )

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        counters = self._accepted_in.counters
        counters.accepted += 1
        counters.handled += 1
        counters.active += 1
        try:
            await self.http.serve(self._answer)
        finally:
            counters.active -= 1
            if self.http.requests > self._answered:
                self._log_unread(400, "client prematurely closed connection")
            del self.http  # it refers to us, and nothing shall wait for a collection of cycles

    async def _answer(self, http: HttpExchange) -> None:
        self._answered += 1
        self._client.requests = self.http.requests
        cycle = self._cycle()
        cycle.enter()
        try:
            await Exchange(self._request(cycle, http.head, http)).run()
        finally:
            cycle.leave()

    def _refuse(
        self, error: RemoteProtocolError, head: RequestHead | None
    ) -> tuple[ResponseHead, bytes]:
        """Answer what is no request, as nginx does; a head that stalls ends without an answer."""
        self._answered += 1
        request = self._request(self._cycle(), head, None)
        request.log("info", f"client sent invalid request: {error.message}")
        if error.status == _TIMED_OUT:
            self._end(request, error.status)
            self.http.stream.close()
            return ResponseHead(error.status, ""), b""
        status, detail = client_fault(error.status)
        content = page_content(status, detail, server_signature(request))
        answer = build_head(request, status, [("Content-Type", "text/html")], length=len(content))
        note_head(request, answer)
        request.reply.body_octets = len(content)
        self._end(request, status)
        return answer, content

    def _log_unread(self, status: int, message: str) -> None:
        request = self._request(self._cycle(), None, None)
        request.log("info", f"{message} while reading client request headers")
        self._end(request, status)

    def _end(self, request: Request, status: int) -> None:
        request.reply.status = status
        Exchange(request).finish()

    def _request(
        self, cycle: Cycle, head: RequestHead | None, http: HttpExchange | None
    ) -> Request:
        cycle.counters.requests += 1
        return Request(cycle, self._client, head, self._server, look_up, http)

    @property
    def _server(self) -> Server:
        """The server that holds before a Host is read: that of the name in TLS, or the default."""
        tls = self._client.tls
        return (tls and tls.named_server) or self._client.servers.default

    def _cycle(self) -> Cycle:
        """Return the configuration in force; the old one where the new lacks this address."""
        cycle = self._current()
        if cycle is not self._accepted_in and self._bound in cycle.router.addresses:
            local = (self._client.local_address, self._client.local_port)
            self._client.servers = cycle.router.servers_at(local, self._bound)
            self._accepted_in = cycle
        return self._accepted_in


def head_limits(server: Server) -> HeadLimits:
    """Return the limits on a request's head that a server's directives set."""
    buffers = server.large_client_header_buffers
    return HeadLimits(
        line_octets=max(buffers.octets, server.client_header_buffer_octets),
        head_octets=buffers.count * buffers.octets + server.client_header_buffer_octets,
        field_count=server.max_headers,
        start_line_status=414,
        field_status=_FIELDS_TOO_LARGE,
        accepts_loose_lines=True,
        drops_other_names=server.ignore_invalid_headers,
        drops_underscores=server.ignore_invalid_headers and not server.underscores_in_headers,
    )


def _meet(stream: Stream, bound: ListenAddress, number: int, cycle: Cycle) -> ClientFacts:
    address, port = _host_and_port(stream.peer_address)
    local_address, local_port = _host_and_port(stream.local_address)
    return ClientFacts(
        number=number,
        address=address or "unix:",
        port=port,
        local_address=local_address,
        local_port=local_port,
        servers=cycle.router.servers_at((local_address, local_port), bound),
        started_s=time.time(),
    )


def _host_and_port(address: Address) -> tuple[str, int]:
    return (address, 0) if isinstance(address, str) else address

"""Sending a response: the fields that nginx adds to every one, and the count of its octets."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable

from upwire.proxy.dates import http_date
from upwire.proxy.filters import join_filters
from upwire.proxy.headers import head_octets
from upwire.proxy.modules import headers
from upwire.proxy.output import NOWHERE, OutputHead, Sink
from upwire.proxy.request import Request
from upwire.proxy.route import WILDCARDS
from upwire.version import __version__
from upwire.wire.fields import Headers
from upwire.wire.http1 import ResponseHead, reason_phrase

# nginx's phrases, where they are not RFC 9110's.
_NGINX_PHRASES = {
    302: "Moved Temporarily",
    405: "Not Allowed",
    408: "Request Time-out",
    413: "Request Entity Too Large",
    414: "Request-URI Too Large",
    416: "Requested Range Not Satisfiable",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


def phrase(status: int) -> str:
    """Return the reason phrase that nginx sends with a status of its own."""
    return _NGINX_PHRASES.get(status) or reason_phrase(status)


def server_signature(request: Request) -> str:
    """Return what the Server field says: with the version unless `server_tokens off`."""
    return "upwire" if request.settings.server_tokens == "off" else f"upwire/{__version__}"


class _Client(Sink):
    """The client's connection; a head that is held goes out with the first octets behind it."""

    __slots__ = ("_request", "held")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.held: ResponseHead | None = None

    async def send(self, octets: bytes) -> None:
        """Send octets, waiting while the client is slow."""
        http = self._request.http
        assert http is not None
        if self.held is None:
            await http.send(octets)
        else:
            held, self.held = self.held, None
            await http.start(held, octets)
        self._request.reply.body_octets += len(octets)

    async def flush(self) -> None:
        """Send a head that is held."""
        if self.held is not None:
            await self.send(b"")

    async def finish(self) -> None:
        """End the response."""
        if self.held is not None:
            await self.flush()
        assert self._request.http is not None
        await self._request.http.finish(self._request.reply.trailers)


async def start_response(
    request: Request,
    status: int,
    fields: list[tuple[str, str]],
    *,
    length: int | None,
    reason: str | None = None,
) -> None:
    """Send the head of a final response; length in octets, None where it is not known."""
    await send_head(request, OutputHead(status, fields, length, reason=reason))


async def send_head(request: Request, head: OutputHead, *, is_held: bool = False) -> None:
    """Let the filters have a final response's head, and send it, is_held: with the first content.

    A subrequest's is kept only. The status that `error_page` gives to what stands in for an error
    applies here. Raises Refused where a filter wants another response.
    """
    if request.status_override is not None:
        head.status, head.reason = request.status_override, None
        head.has_content = head.status not in (204, 304)
    if not head.has_content:
        head.length = None
    if request.added_fields:
        _add_fields(head, request.added_fields)
    request.reply.status, request.reply.fields = head.status, head.fields  # filters refer to them
    client = _Client(request) if request.main is request else None
    join_filters(request, head, client or request.sink)
    request.reply.has_content = head.has_content and not request.wants_head_only
    sent = _complete(request, head)
    request.reply.is_started = True
    note_head(request, sent)
    if client is not None:
        client.held = sent
        request.sink = client
        if not is_held:
            await client.flush()


def _add_fields(head: OutputHead, fields: Iterable[tuple[str, str]]) -> None:
    """Add what handlers have noted; the response's own type goes before X-Accel-Redirect's."""
    has_type = "Content-Type" in head.fields
    for name, value in fields:
        if not (has_type and name.lower() == "content-type"):
            head.fields.add(name, value)


def send(request: Request, octets: bytes) -> Coroutine[None, None, None]:
    """Send octets of the content, waiting while the client is slow."""
    return (request.output if request.reply.has_content else NOWHERE).send(octets)


def flush(request: Request) -> Coroutine[None, None, None]:
    """Let no filter hold back what can be sent now."""
    return (request.output if request.reply.has_content else NOWHERE).flush()


def finish(request: Request) -> Coroutine[None, None, None]:
    """End the content."""
    return (request.output if request.reply.has_content else request.sink).finish()


async def respond(
    request: Request, status: int, fields: list[tuple[str, str]], content: bytes
) -> None:
    """Send a whole response; a HEAD request, 204 and 304 get its head alone."""
    head = OutputHead(status, fields, len(content), allows_conditions=True)
    await send_head(request, head, is_held=True)
    if content:
        await send(request, content)
    await finish(request)


def build_head(
    request: Request,
    status: int,
    fields: list[tuple[str, str]],
    *,
    length: int | None,
    reason: str | None = None,
) -> ResponseHead:
    """Return the head of a response that meets no filters: a 101, or one to what is no request."""
    head = OutputHead(status, [*fields, *request.added_fields], length, reason=reason)
    headers.join(request, head)
    return _complete(request, head)


def _complete(request: Request, head: OutputHead) -> ResponseHead:
    """Return a head as it is sent, Server and Date in front unless its fields bring their own."""
    fields = head.fields
    lines: list[tuple[str, str]] = []
    if "Server" not in fields:
        lines.append(("Server", server_signature(request)))
    if "Date" not in fields:
        lines.append(("Date", http_date(request.cycle.wall_clock())))
    lines.extend(fields.items())
    may_chunk = _may_chunk(request)
    is_trailed = head.expects_trailers and request.reply.has_content and may_chunk
    if head.length is not None and not is_trailed:
        lines.append(("Content-Length", str(head.length)))
    if "Connection" not in fields:
        is_framed = head.length is not None or not head.has_content or may_chunk
        lines.extend(_persistence_fields(request, is_framed=is_framed))
    reason = phrase(head.status) if head.reason is None else head.reason
    return ResponseHead(head.status, reason, (1, 1), Headers(lines))


def note_head(request: Request, head: ResponseHead) -> None:
    """Keep a head that is sent, for the log and $sent_http_*."""
    reply = request.reply
    reply.status = head.status
    reply.fields = head.headers
    reply.head_octets += head_octets(f"HTTP/1.1 {head.status} {head.reason}", head.headers)


def absolute_location(request: Request, path: str) -> str:
    """Return what the Location field says for a path on this server.

    nginx names the host that the client asked, and its own port where that is not the scheme's.
    """
    settings = request.settings
    if not settings.absolute_redirect:
        return path
    if settings.server_name_in_redirect:
        host = request.server_name
    else:
        host = request.host or _literal(request.client.local_address)
    port = request.client.local_port
    is_default = port == (443 if request.client.is_tls else 80)
    suffix = f":{port}" if settings.port_in_redirect and port and not is_default else ""
    return f"{request.scheme}://{host}{suffix}{path}"


def _may_chunk(request: Request) -> bool:
    """Whether the content may be chunked; `chunked_transfer_encoding off` tells the connection."""
    is_on = request.settings.chunked_transfer_encoding
    if not is_on and request.http is not None and request.main is request:
        request.http.may_chunk = False
    return is_on and request.head.version >= (1, 1)


def _persistence_fields(request: Request, *, is_framed: bool) -> list[tuple[str, str]]:
    """Say that the connection persists, as nginx does even where HTTP/1.1 makes it needless.

    is_framed: the content's end does not take the connection's end. What ends it instead, net/http1
    says.
    """
    http = request.http
    if http is None or not is_framed or not http.connection.takes_more_requests:
        return []
    if not http.client_persists:
        return []
    timeout_s = request.settings.keepalive_header_s
    told = [("Keep-Alive", f"timeout={timeout_s}")] if timeout_s else []
    return [("Connection", "keep-alive"), *told]


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address or WILDCARDS[0]

"""Sending a response: the fields that nginx adds to every one, and the count of its octets."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache

from upwire.proxy.headers import head_octets, on_one_line
from upwire.proxy.request import Request
from upwire.proxy.route import WILDCARDS
from upwire.version import __version__
from upwire.wire.fields import Headers
from upwire.wire.http1 import ResponseHead, reason_phrase, wants_keep_alive

# `add_header` without `always` adds to these alone.
_ADDED_TO = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
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


def http_date(time_s: float) -> str:
    """Return a time as RFC 9110 §5.6.7 writes it."""
    return _date_of_second(int(time_s))


@lru_cache(maxsize=16)
def _date_of_second(second: int) -> str:
    return formatdate(second, usegmt=True)


async def start_response(
    request: Request,
    status: int,
    fields: list[tuple[str, str]],
    *,
    length: int | None,
    reason: str | None = None,
) -> None:
    """Send the head of a final response; length in octets, None where it is not known.

    `add_header` applies here, to the upstream's responses as well as to our own, and so does the
    status that `error_page` gives to what stands in for an error.
    """
    assert request.http is not None
    if request.status_override is not None:
        status, reason = request.status_override, None
    head = build_head(request, status, fields, length=length, reason=reason)
    request.reply.is_started = True
    note_head(request, head)
    await request.http.start(head)


async def send(request: Request, octets: bytes) -> None:
    """Send octets of the content, waiting while the client is slow."""
    assert request.http is not None
    await request.http.send(octets)
    request.reply.body_octets += len(octets)


async def finish(request: Request) -> None:
    """End the content."""
    assert request.http is not None
    await request.http.finish()


async def respond(
    request: Request, status: int, fields: list[tuple[str, str]], content: bytes
) -> None:
    """Send a whole response; a HEAD request, 204 and 304 get its head alone."""
    is_head_only = request.method == "HEAD" or status in (204, 304)
    length = None if status in (204, 304) else len(content)
    await start_response(request, status, fields, length=length)
    if content and not is_head_only:
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
    """Return a head in nginx's order, Server and Date in front unless fields bring their own."""
    names = {name.lower() for name, _ in fields}
    is_framed = length is not None or "content-length" in names or request.head.version >= (1, 1)
    lines: list[tuple[str, str]] = []
    if "server" not in names:
        lines.append(("Server", server_signature(request)))
    if "date" not in names:
        lines.append(("Date", http_date(request.cycle.wall_clock())))
    lines.extend(fields)
    lines.extend(request.added_fields)
    if length is not None and "content-length" not in names:
        lines.append(("Content-Length", str(length)))
    if "connection" not in names:
        lines.extend(_persistence_fields(request, is_framed=is_framed))
    lines.extend(_added_fields(request, status))
    return ResponseHead(
        status, phrase(status) if reason is None else reason, (1, 1), Headers(lines)
    )


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


def _persistence_fields(request: Request, *, is_framed: bool) -> list[tuple[str, str]]:
    """Say that the connection persists, as nginx does even where HTTP/1.1 makes it needless.

    is_framed: the content's end does not take the connection's end. What ends it instead, net/http1
    says.
    """
    http = request.http
    if http is None or not is_framed or not http.connection.takes_more_requests:
        return []
    if not wants_keep_alive(request.head.version, request.head.headers):
        return []
    timeout_s = request.settings.keepalive_header_s
    told = [("Keep-Alive", f"timeout={timeout_s}")] if timeout_s else []
    return [("Connection", "keep-alive"), *told]


def _added_fields(request: Request, status: int) -> list[tuple[str, str]]:
    added = []
    for header in request.settings.add_headers:
        if header.always or status in _ADDED_TO:
            value = on_one_line(header.value.render(request.lookup))
            if value:
                added.append((header.name, value))
    return added


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address or WILDCARDS[0]

"""What goes upstream and what comes back: pure functions on heads, as ngx_http_proxy_module does.

nginx's `proxy_set_header` lists replace fields, its defaults drop the hop-by-hop ones (RFC 9110
§7.6.1): without the well-known lines no Upgrade field reaches the upstream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from upwire.conf.model import ProxyPass, ProxyRewrite, ProxySettings
from upwire.conf.variables import Lookup
from upwire.proxy.set_cookie import rewrite_first, rewrite_prefix, rewrite_set_cookie
from upwire.proxy.target import escape_path
from upwire.wire.fields import Headers, has_token
from upwire.wire.handshake import is_switch_right, is_upgrade_request
from upwire.wire.http1 import RequestHead, ResponseHead

MakeAbsolute = Callable[[str], str]
"""Returns what a Location field says for a path on this server."""

_LINE_ENDS = re.compile(r"[\r\n\0]+")
# Framing and persistence are a matter of each hop.
_OWN_OF_THE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
# nginx passes on the first of these alone.
_SINGLE = frozenset({"content-type", "etag", "expires", "last-modified", "location", "refresh"})
_REWRITTEN = frozenset({"location", "refresh", "set-cookie"})


def upstream_request(
    head: RequestHead, proxy: ProxySettings, *, method: str, target: str, lookup: Lookup
) -> RequestHead:
    """Return the head that the upstream gets for a request of the client.

    method: the client's, or GET behind an internal redirect.
    lookup gives the variables' values; a field whose template gives "" is left out.
    """
    fields = [
        (name, value)
        for name, template in proxy.set_headers
        if template.parts and (value := on_one_line(template.render(lookup)))
    ]
    if proxy.pass_request_headers:
        replaced = proxy.replaced_headers
        fields += [line for line in head.headers.items() if line[0].lower() not in replaced]
    method = proxy.method.render(lookup) if proxy.method else method
    version = min(proxy.http_version, (1, 1))  # HTTP/2 upstreams are asked in HTTP/1.1
    return RequestHead(method, target, version, Headers.from_parsed(fields))


def upstream_target(
    passed: ProxyPass, *, prefix: str, uri: str, args: str, request_uri: str, is_escaped: bool
) -> str:
    """Return the request-target for the upstream.

    prefix: the part of uri that the location matched, which the URI of `proxy_pass` replaces.
    request_uri: what the client wrote, "" once the path was changed within the proxy.
    is_escaped: the client had percent-encoded octets in uri, which it lost when it was decoded.
    """
    if passed.uri is None and request_uri.startswith("/"):
        return request_uri
    rest = uri if passed.uri is None else uri[len(prefix) :]
    if is_escaped or not request_uri:
        rest = escape_path(rest)
    return (passed.uri or "") + rest + (f"?{args}" if args else "")


def downstream_fields(
    head: ResponseHead, proxy: ProxySettings, lookup: Lookup, make_absolute: MakeAbsolute
) -> list[tuple[str, str]]:
    """Return the fields of an upstream's response that the client gets.

    Hidden fields, and those of the hop, are left out; Location and Refresh are rewritten as
    `proxy_redirect` says; a Location that this made a path is completed by make_absolute.
    """
    fields: list[tuple[str, str]] = []
    seen: set[str] = set()
    hidden = proxy.hide_headers
    for line in head.headers.items():
        key = line[0].lower()
        if key in hidden or key in _OWN_OF_THE_HOP or key in seen:
            continue
        if key in _SINGLE:
            seen.add(key)
        if key in _REWRITTEN:
            line = line[0], _rewrite(key, line[1], proxy, lookup, make_absolute)
        fields.append(line)
    return fields


def _rewrite(
    key: str, value: str, proxy: ProxySettings, lookup: Lookup, make_absolute: MakeAbsolute
) -> str:
    """Return the value of one of the fields that _REWRITTEN names, as the client gets it."""
    if key == "set-cookie":
        return rewrite_set_cookie(value, proxy, lookup)
    if key == "refresh":
        return _rewrite_refresh(value, proxy.redirects, lookup)
    rewritten = rewrite_redirect(value, proxy.redirects, lookup)
    is_path = rewritten is not value and rewritten.startswith("/")
    return make_absolute(rewritten) if is_path else rewritten


def rewrite_redirect(value: str, redirects: Iterable[ProxyRewrite], lookup: Lookup) -> str:
    """Return a Location value after the first `proxy_redirect` that fits it."""
    rewritten = rewrite_first(value, redirects, lookup, rewrite_prefix)
    return value if rewritten is None else rewritten


def switch_fault(request: RequestHead, response: ResponseHead) -> str | None:
    """Return what is wrong with a 101, None where the client may have it. RFC 6455 §4.1.

    nginx passes on any 101, even one that nobody asked for; the client fails the connection then.
    """
    if "Upgrade" not in request.headers:
        return "upstream switched protocols unasked"
    if not is_upgrade_request(request) or is_switch_right(request, response):
        return None
    is_announced = has_token(response.headers, "Upgrade", "websocket") and has_token(
        response.headers, "Connection", "upgrade"
    )
    wrong = "Sec-WebSocket-Accept" if is_announced else "Upgrade or Connection"
    return f"upstream answered 101 with a wrong {wrong}"


def on_one_line(value: str) -> str:
    """Return a field's value without line ends, which would begin a field of its own.

    Variables can bring them in, as `$uri` does for %0D%0A: nginx sends them as they are. RFC 9110
    §5.5 has them replaced by spaces.
    """
    if not value.isprintable():
        value = _LINE_ENDS.sub(" ", value)
    return value.strip()


def head_octets(first_line: str, headers: Headers) -> int:
    """Return how many octets a head takes on the wire, its empty line included."""
    return len(first_line) + len("\r\n\r\n") + headers.octets


def _rewrite_refresh(value: str, redirects: Iterable[ProxyRewrite], lookup: Lookup) -> str:
    start = value.lower().find("url=") + len("url=")
    if start < len("url="):
        return value
    return value[:start] + rewrite_redirect(value[start:], redirects, lookup)

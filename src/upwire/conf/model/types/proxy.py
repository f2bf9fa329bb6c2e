"""What ngx_http_proxy_module does in a location."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from upwire.conf.model.types.ssl import ProxySslSettings
from upwire.conf.regex import Regex
from upwire.conf.syntax import Position
from upwire.conf.values import parse_port
from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class Buffers:
    """A count of buffers of octets each, such as `large_client_header_buffers 4 8k`."""

    count: int
    octets: int


@dataclass(frozen=True, slots=True)
class ProxyPass:
    """`proxy_pass`.

    scheme: "http" or "https". host, port: where to connect unless upstream names a block, unix a
    socket, or template (the whole URL has variables, and is read for each request).
    uri: what replaces the part of the path that the location matched; None: the path is kept.
    authority: nginx's $proxy_host. url: as written. position: the URL's, for "host not found in
    upstream".
    """

    scheme: str
    host: str
    port: int
    authority: str
    position: Position
    url: str = ""
    uri: str | None = None
    upstream: str | None = None
    unix: str | None = None
    template: Template | None = None


@dataclass(frozen=True, slots=True)
class ProxyRewrite:
    """One `proxy_redirect`, `proxy_cookie_domain` or `_path`: what is replaced, and by what.

    pattern is a text or an expression. `default` and `off` are resolved when the configuration is
    built.
    """

    pattern: Template | Regex
    replacement: Template


@dataclass(frozen=True, slots=True)
class CookieFlags:
    """One `proxy_cookie_flags`: the name of cookies, or an expression, and the flags to change."""

    pattern: Template | Regex
    flags: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class ProxyBind:
    """`proxy_bind`: the address, with a port or none, that connections come from.

    is_transparent: it need not be one of the machine's.
    """

    address: Template
    is_transparent: bool = False


def split_local(text: str) -> tuple[str, int] | None:
    """Return address and port of a `proxy_bind`, port 0 for any; None where text is neither."""
    host, colon, digits = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        colon, digits = rest[:1], rest[1:]
    try:
        address = ipaddress.ip_address(host)
        port = parse_port(digits) if colon else 0
    except ValueError:
        return None
    return str(address), port


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What ngx_http_proxy_module does in a location; pass_ is None where it does not answer.

    set_headers: the fields sent upstream in nginx's order, its own defaults included; a template
    that gives "" leaves the field out. replaced_headers: their names in lower case, which no field
    of the client's passes.
    hide_headers: lower-case names kept from the client, nginx's own list included.
    limit_rate: octets a second, with a unit; 0 or nothing is no limit. max_temp_file_octets: what a
    file may hold of a response that the client is slow to take, 0 for no file.
    """

    pass_: ProxyPass | None
    set_headers: tuple[tuple[str, Template], ...]
    http_version: tuple[int, int]
    connect_timeout_s: float = 60.0
    read_timeout_s: float = 60.0
    send_timeout_s: float = 60.0
    buffering: bool = True
    request_buffering: bool = True
    buffer_octets: int = 4096
    buffers: Buffers = Buffers(8, 4096)
    pass_request_headers: bool = True
    pass_request_body: bool = True
    replaced_headers: frozenset[str] = frozenset()
    hide_headers: frozenset[str] = frozenset()
    ignore_headers: frozenset[str] = frozenset()
    redirects: tuple[ProxyRewrite, ...] = ()
    cookie_domains: tuple[ProxyRewrite, ...] = ()
    cookie_paths: tuple[ProxyRewrite, ...] = ()
    cookie_flags: tuple[CookieFlags, ...] = ()
    intercept_errors: bool = False
    next_upstream: frozenset[str] = frozenset({"error", "timeout"})
    next_upstream_tries: int = 0
    next_upstream_timeout_s: float = 0.0
    socket_keepalive: bool = False
    ignore_client_abort: bool = False
    method: Template | None = None
    set_body: Template | None = None
    limit_rate: Template | None = None
    bind: ProxyBind | None = None
    max_temp_file_octets: int = 1 << 30
    force_ranges: bool = False
    pass_trailers: bool = False
    ssl: ProxySslSettings = ProxySslSettings()

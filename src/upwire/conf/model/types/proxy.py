"""What ngx_http_proxy_module does in a location."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.regex import Regex
from upwire.conf.syntax import Position
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
class ProxyRedirect:
    """One `proxy_redirect`: pattern, a prefix template or an expression, and what replaces it.

    `default` and `off` are resolved when the configuration is built.
    """

    pattern: Template | Regex
    replacement: Template


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What ngx_http_proxy_module does in a location; pass_ is None where it does not answer.

    set_headers: the fields sent upstream in nginx's order, its own defaults included; a template
    that gives "" leaves the field out.
    hide_headers: lower-case names kept from the client, nginx's own list included.
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
    hide_headers: frozenset[str] = frozenset()
    ignore_headers: frozenset[str] = frozenset()
    redirects: tuple[ProxyRedirect, ...] = ()
    intercept_errors: bool = False
    next_upstream: frozenset[str] = frozenset({"error", "timeout"})
    next_upstream_tries: int = 0
    next_upstream_timeout_s: float = 0.0
    socket_keepalive: bool = False
    ignore_client_abort: bool = False
    method: Template | None = None

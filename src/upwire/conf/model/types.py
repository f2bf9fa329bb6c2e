"""The frozen types of a configuration that was merged and found right.

Durations are seconds (`_s`), sizes octets (`_octets`). Text is str decoded as latin-1, one
character an octet, as in heads: a file name goes to the system as `name.encode("latin-1")`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from upwire.conf.directives import Version
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive, Position
from upwire.conf.variables import Template
from upwire.errors import Problem


@dataclass(frozen=True, slots=True)
class ErrorLog:
    """One `error_log`: file name, "stderr" or "syslog:...", and the least level written."""

    path: str
    level: str = "error"


@dataclass(frozen=True, slots=True)
class Main:
    """The main and events levels. worker_processes None is `auto`, one for each processor."""

    worker_processes: int | None = 1
    worker_connections: int = 512
    worker_shutdown_timeout_s: float | None = None
    worker_rlimit_nofile: int | None = None
    daemon: bool = True
    master_process: bool = True
    pid: str = "logs/nginx.pid"
    user: tuple[str, str | None] | None = None
    error_logs: tuple[ErrorLog, ...] = ()
    multi_accept: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """One address of one server. unix is a socket's path; host and port are then "" and 0.

    host is a literal address ("*" is "0.0.0.0", an IPv6 one keeps its brackets), or a name that the
    proxy resolves at start.
    backlog, rcvbuf_octets and sndbuf_octets are None where the system's or nginx's default holds.
    """

    host: str
    port: int
    position: Position
    unix: str | None = None
    is_default_server: bool = False
    ssl: bool = False
    http2: bool = False
    quic: bool = False
    proxy_protocol: bool = False
    reuseport: bool = False
    deferred: bool = False
    bind: bool = False
    ipv6only: bool = True
    backlog: int | None = None
    fastopen: int | None = None
    rcvbuf_octets: int | None = None
    sndbuf_octets: int | None = None
    so_keepalive: str | None = None


class NameKind(enum.Enum):
    """How a name of `server_name` matches a Host."""

    EXACT = enum.auto()
    LEADING_WILDCARD = enum.auto()  # *.example.com
    TRAILING_WILDCARD = enum.auto()  # www.example.*
    REGEX = enum.auto()  # ~^www\d+\.example\.com$


@dataclass(frozen=True, slots=True)
class ServerName:
    """One name, in lower case; ".example.com" stands as the two names that it means.

    pattern keeps the wildcard's "*"; for REGEX it is the expression without "~".
    """

    kind: NameKind
    pattern: str
    regex: Regex | None = None


class MatchKind(enum.Enum):
    """How a location matches a URI."""

    PREFIX = ""
    EXACT = "="
    PREFIX_NO_REGEX = "^~"
    REGEX = "~"
    REGEX_NOCASE = "~*"
    NAMED = "@"


@dataclass(frozen=True, slots=True)
class Return:
    """`return`: a status, and a body, or a URL where the status is 301, 302, 303, 307 or 308.

    `return URL` has status 302; `return 444` closes without an answer. text None: nginx's own page.
    """

    status: int
    text: Template | None = None


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What `error_page` does for one status.

    answer None keeps the status; 0 takes that of uri's own response ("="); else it is the answer.
    uri starts with "/" (internal redirect), with "@" (named location), or is a URL (redirect).
    """

    status: int
    uri: Template
    answer: int | None = None


@dataclass(frozen=True, slots=True)
class AddHeader:
    """`add_header`: only for 200, 201, 204, 206, 301-304, 307 and 308 unless always."""

    name: str
    value: Template
    always: bool = False


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A `log_format`. escape is "default", "json" or "none"."""

    name: str
    template: Template
    escape: str = "default"


@dataclass(frozen=True, slots=True)
class AccessLog:
    """One `access_log`. condition is `if=`: no line where it gives "" or "0"."""

    path: Template
    format: LogFormat
    condition: Template | None = None
    buffer_octets: int | None = None
    flush_s: float | None = None
    gzip_level: int | None = None


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


@dataclass(frozen=True, slots=True)
class Resolver:
    """`resolver`: name servers as (host, port), and how long an answer holds."""

    servers: tuple[tuple[str, int], ...]
    valid_s: float | None = None
    ipv4: bool = True
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class LocationSettings:
    """What holds for a request that this level answers, inherited values included.

    root or alias is set, never both. client_max_body_octets 0 means no limit.
    keepalive_timeout_s 0 closes after each response. keepalive_header_s: `Keep-Alive: timeout=`.
    proxy.pass_ None and handler None: files below root. handler: the directive that answers, such
    as "proxy_pass", "stub_status", or one that is not acted on, such as "fastcgi_pass".
    """

    proxy: ProxySettings
    handler: str | None = None
    root: Template | None = None
    alias: Template | None = None
    index: tuple[Template, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    default_type: str = "text/plain"
    access_logs: tuple[AccessLog, ...] = ()
    error_logs: tuple[ErrorLog, ...] = ()
    error_pages: tuple[ErrorPage, ...] = ()
    add_headers: tuple[AddHeader, ...] = ()
    return_: Return | None = None
    client_max_body_octets: int = 1 << 20
    client_body_timeout_s: float = 60.0
    send_timeout_s: float = 60.0
    keepalive_timeout_s: float = 75.0
    keepalive_header_s: int | None = None
    keepalive_requests: int = 1000
    keepalive_time_s: float = 3600.0
    lingering_timeout_s: float = 5.0
    tcp_nodelay: bool = True
    server_tokens: str = "on"
    etag: bool = True
    absolute_redirect: bool = True
    server_name_in_redirect: bool = False
    port_in_redirect: bool = True
    recursive_error_pages: bool = False
    log_not_found: bool = True
    internal: bool = False
    resolver: Resolver | None = None
    resolver_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Location:
    """A `location`. pattern is as written, for NAMED without "@"; regex for the two REGEX kinds."""

    kind: MatchKind
    pattern: str
    settings: LocationSettings
    position: Position
    regex: Regex | None = None
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """A `server`; settings answer where no location matches, and before one is found.

    certificates: pairs of files, certificate and key; rejects_handshake: `ssl_reject_handshake`.
    """

    listens: tuple[Listen, ...]
    names: tuple[ServerName, ...]
    locations: tuple[Location, ...]
    settings: LocationSettings
    position: Position
    client_header_timeout_s: float = 60.0
    client_header_buffer_octets: int = 1024
    large_client_header_buffers: Buffers = Buffers(4, 8192)
    ignore_invalid_headers: bool = True
    underscores_in_headers: bool = False
    merge_slashes: bool = True
    max_headers: int = 1000
    certificates: tuple[tuple[str, str], ...] = ()
    rejects_handshake: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """One `server` of an `upstream`. host may be a name, which the proxy resolves at start.

    max_conns 0 means no limit. position is the address's, for "host not found in upstream".
    """

    host: str
    port: int
    position: Position
    unix: str | None = None
    weight: int = 1
    max_conns: int = 0
    max_fails: int = 1
    fail_timeout_s: float = 10.0
    backup: bool = False
    down: bool = False
    resolve: bool = False


@dataclass(frozen=True, slots=True)
class Keepalive:
    """`keepalive` of an `upstream`: how many idle connections a worker keeps, and how long."""

    connections: int
    requests: int = 1000
    time_s: float = 3600.0
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """An `upstream`. balance is "round_robin" or the directive that chose another method."""

    name: str
    peers: tuple[Peer, ...]
    position: Position
    keepalive: Keepalive | None = None
    balance: str = "round_robin"


@dataclass(frozen=True, slots=True)
class Map:
    """A `map`: source is looked up, and the template found is variable's value.

    exact, leading ("*.example.com" as ".example.com") and trailing ("www.*" as "www.") are keyed in
    lower case; the last two are filled with `hostnames` only. regexes are tried in their order.
    """

    variable: str
    source: Template
    default: Template
    position: Position
    exact: Mapping[str, Template] = field(default_factory=dict)
    leading: Mapping[str, Template] = field(default_factory=dict)
    trailing: Mapping[str, Template] = field(default_factory=dict)
    regexes: tuple[tuple[Regex, Template], ...] = ()
    hostnames: bool = False
    volatile: bool = False

    def find(self, value: str) -> tuple[Template, tuple[str, ...] | None]:
        """Return the template for value, and the captures where an expression matched it."""
        key = value.lower().removesuffix(".") if self.hostnames else value.lower()
        found = self.exact.get(key) or self._find_wildcard(key)
        if found is not None:
            return found, None
        for regex, template in self.regexes:
            captures = regex.search(value)
            if captures is not None:
                return template, captures
        return self.default, None

    def _find_wildcard(self, key: str) -> Template | None:
        """Return the longest leading wildcard's template, or else the longest trailing one's."""
        labels = key.split(".")
        for start in range(1, len(labels)):
            found = self.leading.get("." + ".".join(labels[start:]))
            if found is not None:
                return found
        for end in range(len(labels) - 1, 0, -1):
            found = self.trailing.get(".".join(labels[:end]) + ".")
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. maps are keyed by variable, without "$".

    accepted: directives that nginx knows and that are not acted on, each at its first place.
    unguarded: a warning for each place where one of them guards something that is now open.
    warnings: what nginx would write at `warn` and then start.
    """

    main: Main
    servers: tuple[Server, ...]
    upstreams: Mapping[str, Upstream]
    maps: Mapping[str, Map]
    log_formats: Mapping[str, LogFormat]
    version: Version
    accepted: tuple[Directive, ...] = ()
    unguarded: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

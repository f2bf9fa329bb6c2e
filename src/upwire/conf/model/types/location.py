"""A `location`, and all that holds for a request that it answers."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from upwire.conf.model.types.access import AccessRule, AuthBasic, LimitConn, LimitReq, RealIp
from upwire.conf.model.types.addition import AdditionSettings
from upwire.conf.model.types.auth_request import AuthRequestSettings
from upwire.conf.model.types.autoindex import AutoindexSettings
from upwire.conf.model.types.charset import CharsetSettings
from upwire.conf.model.types.coding import GzipSettings, SubFilter
from upwire.conf.model.types.headers import AddHeader, Expires, ExpiresTemplate
from upwire.conf.model.types.logs import AccessLog, ErrorLog, OpenLogFileCache
from upwire.conf.model.types.mirror import MirrorSettings
from upwire.conf.model.types.proxy import ProxySettings
from upwire.conf.model.types.resolver import Resolver
from upwire.conf.model.types.rewrite import If, Instruction
from upwire.conf.model.types.ssi import SsiSettings
from upwire.conf.model.types.try_files import TryFiles
from upwire.conf.regex import Regex
from upwire.conf.syntax import Position
from upwire.conf.variables import Template


class MatchKind(enum.Enum):
    """How a location matches a URI."""

    PREFIX = ""
    EXACT = "="
    PREFIX_NO_REGEX = "^~"
    REGEX = "~"
    REGEX_NOCASE = "~*"
    NAMED = "@"


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
class ClientBody:
    """How the content of a request is kept. temp_path None: the system's folder.

    in_file_only is "off", "on" (the file stays) or "clean".
    """

    buffer_octets: int = 8192
    in_file_only: str = "off"
    temp_path: str | None = None


@dataclass(frozen=True, slots=True)
class LocationSettings:
    """What holds for a request that this level answers, inherited values included.

    root or alias is set, never both; alias takes the place of the first alias_octets of the path,
    None: of all of it. client_max_body_octets 0 means no limit.
    keepalive_timeout_s 0 closes after each response. keepalive_header_s: `Keep-Alive: timeout=`.
    proxy.pass_ None and handler None: files below root. handler: the directive that answers, such
    as "proxy_pass", "stub_status", or one that is not acted on, such as "fastcgi_pass".
    max_ranges None: any number.
    """

    proxy: ProxySettings
    handler: str | None = None
    root: Template | None = None
    alias: Template | None = None
    alias_octets: int | None = None
    index: tuple[Template, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    default_type: str = "text/plain"
    access_logs: tuple[AccessLog, ...] = ()
    error_logs: tuple[ErrorLog, ...] = ()
    open_log_file_cache: OpenLogFileCache = field(default_factory=OpenLogFileCache)
    error_pages: tuple[ErrorPage, ...] = ()
    add_headers: tuple[AddHeader, ...] = ()
    add_trailers: tuple[AddHeader, ...] = ()
    expires: Expires | ExpiresTemplate | None = None
    client_body: ClientBody = ClientBody()
    client_max_body_octets: int = 1 << 20
    client_body_timeout_s: float = 60.0
    send_timeout_s: float = 60.0
    autoindex: AutoindexSettings = field(default_factory=AutoindexSettings)
    chunked_transfer_encoding: bool = True
    limit_rate: Template | None = None
    limit_rate_after: Template | None = None
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
    max_ranges: int | None = None
    if_modified_since: str = "exact"
    addition: AdditionSettings = field(default_factory=AdditionSettings)
    mirror: MirrorSettings = field(default_factory=MirrorSettings)
    charset: CharsetSettings = field(default_factory=CharsetSettings)
    ssi: SsiSettings = field(default_factory=SsiSettings)
    subrequest_output_octets: int = 4096
    try_files: TryFiles | None = None
    rewrite_log: bool = False
    uninitialized_variable_warn: bool = True
    log_subrequest: bool = False
    auth_request: AuthRequestSettings = field(default_factory=AuthRequestSettings)
    satisfy: str = "all"
    access: tuple[AccessRule, ...] = ()
    auth_basic: AuthBasic | None = None
    real_ip: RealIp | None = None
    limit_req: LimitReq = LimitReq()
    sub_filter: SubFilter = SubFilter()
    gzip: GzipSettings = GzipSettings()
    limit_conn: LimitConn = LimitConn()
    auth_delay_s: float = 0.0
    resolver: Resolver | None = None
    resolver_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class LimitExcept:
    """`limit_except`: settings hold for requests of all methods but those listed."""

    methods: frozenset[str]
    settings: LocationSettings


@dataclass(frozen=True, slots=True)
class Location:
    """A `location`. pattern is as written, for NAMED without "@"; regex for the two REGEX kinds.

    rewrite: what ngx_http_rewrite_module runs here.
    """

    kind: MatchKind
    pattern: str
    settings: LocationSettings
    position: Position
    regex: Regex | None = None
    locations: tuple[Location, ...] = ()
    rewrite: tuple[Instruction, ...] = ()
    limit_except: LimitExcept | None = None

    def all_settings(self) -> Iterator[LocationSettings]:
        """Yield the location's settings, and those that hold under its conditions."""
        yield self.settings
        if self.limit_except is not None:
            yield self.limit_except.settings
        for instruction in self.rewrite:
            if isinstance(instruction, If) and instruction.settings is not None:
                yield instruction.settings

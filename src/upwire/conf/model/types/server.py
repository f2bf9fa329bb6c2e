"""A `server`: its addresses, its names, its locations."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from upwire.conf.model.types.location import Location, LocationSettings
from upwire.conf.model.types.proxy import Buffers
from upwire.conf.model.types.rewrite import Instruction
from upwire.conf.model.types.ssl import SslSettings
from upwire.conf.regex import Regex
from upwire.conf.syntax import Position


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


@dataclass(frozen=True, slots=True)
class Server:
    """A `server`; settings answer where no location matches, and before one is found."""

    listens: tuple[Listen, ...]
    names: tuple[ServerName, ...]
    locations: tuple[Location, ...]
    settings: LocationSettings
    position: Position
    rewrite: tuple[Instruction, ...] = ()
    client_header_timeout_s: float = 60.0
    client_header_buffer_octets: int = 1024
    large_client_header_buffers: Buffers = Buffers(4, 8192)
    ignore_invalid_headers: bool = True
    underscores_in_headers: bool = False
    merge_slashes: bool = True
    max_headers: int = 1000
    ssl: SslSettings = SslSettings()

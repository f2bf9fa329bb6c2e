"""What the modules say that let a client in or keep it out: access, auth_basic, limits, realip."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.cidr import Cidr
from upwire.conf.syntax import Position
from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One `allow` or `deny`; cidr None is `all`."""

    is_allowed: bool
    cidr: Cidr | None


@dataclass(frozen=True, slots=True)
class AuthBasic:
    """`auth_basic` with its `auth_basic_user_file`; a realm that gives "off" asks for nothing."""

    realm: Template
    user_file: Template


@dataclass(frozen=True, slots=True)
class TrustedHost:
    """A host whose addresses are looked up when the configuration is put in use."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class RealIp:
    """ngx_http_realip_module. header: a field's name, or "proxy_protocol"."""

    trusted: tuple[Cidr, ...]
    hosts: tuple[TrustedHost, ...] = ()
    header: str = "X-Real-IP"
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class LimitReqZone:
    """`limit_req_zone`. rate: thousandths of a request a second."""

    name: str
    key: Template
    octets: int
    position: Position
    rate: int


@dataclass(frozen=True, slots=True)
class ReqLimit:
    """One `limit_req`; burst and delay are thousandths of a request, delay None with `nodelay`."""

    zone: LimitReqZone
    burst: int = 0
    delay: int | None = 0


@dataclass(frozen=True, slots=True)
class LimitReq:
    """Every `limit_req` of a level, and what becomes of a request that exceeds one."""

    limits: tuple[ReqLimit, ...] = ()
    log_level: str = "error"
    status: int = 503
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class LimitConnZone:
    """`limit_conn_zone`."""

    name: str
    key: Template
    octets: int
    position: Position


@dataclass(frozen=True, slots=True)
class ConnLimit:
    """One `limit_conn`."""

    zone: LimitConnZone
    connections: int


@dataclass(frozen=True, slots=True)
class LimitConn:
    """Every `limit_conn` of a level, and what becomes of a request that exceeds one."""

    limits: tuple[ConnLimit, ...] = ()
    log_level: str = "error"
    status: int = 503
    dry_run: bool = False

"""The frozen types of a configuration that was merged and found right.

Durations are seconds (`_s`), sizes octets (`_octets`). Text is str decoded as latin-1, one
character an octet, as in heads: a file name goes to the system as `name.encode("latin-1")`.
"""

from upwire.conf.model.types.access import (
    AccessRule,
    AuthBasic,
    ConnLimit,
    LimitConn,
    LimitConnZone,
    LimitReq,
    LimitReqZone,
    RealIp,
    ReqLimit,
)
from upwire.conf.model.types.auth_request import AuthRequestSettings
from upwire.conf.model.types.charset import CharsetSettings, Recoding
from upwire.conf.model.types.config import Config
from upwire.conf.model.types.headers import (
    AddHeader,
    Expires,
    ExpiresTemplate,
    Since,
    parse_expires,
)
from upwire.conf.model.types.location import (
    ClientBody,
    ErrorPage,
    LimitExcept,
    Location,
    LocationSettings,
    MatchKind,
)
from upwire.conf.model.types.logs import AccessLog, ErrorLog, LogFormat
from upwire.conf.model.types.lookup import Geo, GeoNetworks, GeoRanges, SplitClients
from upwire.conf.model.types.main import Main
from upwire.conf.model.types.maps import Map
from upwire.conf.model.types.proxy import (
    Buffers,
    CookieFlags,
    ProxyBind,
    ProxyPass,
    ProxyRewrite,
    ProxySettings,
    split_local,
)
from upwire.conf.model.types.resolver import Resolver
from upwire.conf.model.types.rewrite import (
    After,
    Break,
    Condition,
    If,
    Instruction,
    Predicate,
    Return,
    Rewrite,
    SetVariable,
)
from upwire.conf.model.types.server import Listen, NameKind, Server, ServerName
from upwire.conf.model.types.ssl import (
    CertificatePair,
    ProxySslSettings,
    SessionCache,
    SslSettings,
    VerifyClient,
)
from upwire.conf.model.types.upstream import (
    Balance,
    Keepalive,
    Peer,
    Upstream,
    UpstreamZone,
)

__all__ = [
    "AccessLog",
    "AccessRule",
    "AddHeader",
    "After",
    "AuthBasic",
    "AuthRequestSettings",
    "Balance",
    "Break",
    "Buffers",
    "CertificatePair",
    "CharsetSettings",
    "ClientBody",
    "Condition",
    "Config",
    "ConnLimit",
    "CookieFlags",
    "ErrorLog",
    "ErrorPage",
    "Expires",
    "ExpiresTemplate",
    "Geo",
    "GeoNetworks",
    "GeoRanges",
    "If",
    "Instruction",
    "Keepalive",
    "LimitConn",
    "LimitConnZone",
    "LimitExcept",
    "LimitReq",
    "LimitReqZone",
    "Listen",
    "Location",
    "LocationSettings",
    "LogFormat",
    "Main",
    "Map",
    "MatchKind",
    "NameKind",
    "Peer",
    "Predicate",
    "ProxyBind",
    "ProxyPass",
    "ProxyRewrite",
    "ProxySettings",
    "ProxySslSettings",
    "RealIp",
    "Recoding",
    "ReqLimit",
    "Resolver",
    "Return",
    "Rewrite",
    "Server",
    "ServerName",
    "SessionCache",
    "SetVariable",
    "Since",
    "SplitClients",
    "SslSettings",
    "Upstream",
    "UpstreamZone",
    "VerifyClient",
    "parse_expires",
    "split_local",
]

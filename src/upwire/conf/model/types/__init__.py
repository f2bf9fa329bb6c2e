"""The frozen types of a configuration that was merged and found right.

Durations are seconds (`_s`), sizes octets (`_octets`). Text is str decoded as latin-1, one
character an octet, as in heads: a file name goes to the system as `name.encode("latin-1")`.
"""

from upwire.conf.model.types.auth_request import AuthRequestSettings
from upwire.conf.model.types.config import Config
from upwire.conf.model.types.location import (
    AddHeader,
    ClientBody,
    ErrorPage,
    Location,
    LocationSettings,
    MatchKind,
    Return,
)
from upwire.conf.model.types.logs import AccessLog, ErrorLog, LogFormat
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
    "AddHeader",
    "AuthRequestSettings",
    "Balance",
    "Buffers",
    "CertificatePair",
    "ClientBody",
    "Config",
    "CookieFlags",
    "ErrorLog",
    "ErrorPage",
    "Keepalive",
    "Listen",
    "Location",
    "LocationSettings",
    "LogFormat",
    "Main",
    "Map",
    "MatchKind",
    "NameKind",
    "Peer",
    "ProxyBind",
    "ProxyPass",
    "ProxyRewrite",
    "ProxySettings",
    "ProxySslSettings",
    "Resolver",
    "Return",
    "Server",
    "ServerName",
    "SessionCache",
    "SslSettings",
    "Upstream",
    "UpstreamZone",
    "VerifyClient",
    "split_local",
]

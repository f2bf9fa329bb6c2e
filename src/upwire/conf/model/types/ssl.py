"""What ngx_http_ssl_module does in a server, and the proxy module's TLS towards an upstream."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from upwire.conf.syntax import Position
from upwire.conf.variables import Template


class VerifyClient(enum.Enum):
    """`ssl_verify_client`: whether a certificate is asked for, and what is made of a wrong one."""

    OFF = "off"
    ON = "on"
    OPTIONAL = "optional"
    OPTIONAL_NO_CA = "optional_no_ca"  # one that no known authority signed is taken


class SessionCache(enum.Enum):
    """`ssl_session_cache`: where sessions without tickets are kept."""

    OFF = "off"
    NONE = "none"  # nowhere, though nginx tells clients that they may be
    BUILTIN = "builtin"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate and its key: names of files, or "data:" and the PEM text itself."""

    certificate: Template
    key: Template
    position: Position = field(compare=False)

    @property
    def has_variables(self) -> bool:
        """Whether the names depend on the connection."""
        return bool(self.certificate.variables or self.key.variables)


@dataclass(frozen=True, slots=True)
class SslSettings:
    """TLS of a server. Two servers with equal settings are one to a client that comes back.

    Files are named as written. protocols, ciphers and curves have OpenSSL's names. verify_depth:
    how many certificates may stand between the client's and a trusted one.
    """

    certificates: tuple[CertificatePair, ...] = ()
    rejects_handshake: bool = False
    password_file: str | None = None
    protocols: frozenset[str] = frozenset({"TLSv1.2", "TLSv1.3"})
    ciphers: str = "HIGH:!aNULL:!MD5"
    prefer_server_ciphers: bool = False
    ecdh_curve: str = "auto"
    dhparam: str | None = None
    session_cache: SessionCache = SessionCache.NONE
    session_timeout_s: int = 300
    session_tickets: bool = True
    verify_client: VerifyClient = VerifyClient.OFF
    verify_depth: int = 1
    client_certificate: str | None = None
    trusted_certificate: str | None = None
    crl: str | None = None
    buffer_octets: int = 16384
    stapling: bool = False
    stapling_file: str | None = None
    stapling_responder: str | None = None
    stapling_verify: bool = False
    position: Position | None = field(default=None, compare=False)

    @property
    def is_complete(self) -> bool:
        """Whether the server can answer a handshake with these, if only by refusing it."""
        return bool(self.certificates) or self.rejects_handshake


@dataclass(frozen=True, slots=True)
class ProxySslSettings:
    """TLS towards an upstream. name: whose certificate it shall be; None: $proxy_host.

    server_name: whether the upstream is told the name (SNI). certificates: one, or none.
    """

    name: Template | None = None
    server_name: bool = False
    verify: bool = False
    verify_depth: int = 1
    trusted_certificate: str | None = None
    crl: str | None = None
    certificates: tuple[CertificatePair, ...] = ()
    password_file: str | None = None
    protocols: frozenset[str] = frozenset({"TLSv1.2", "TLSv1.3"})
    ciphers: str = "DEFAULT"
    session_reuse: bool = True
    position: Position | None = field(default=None, compare=False)

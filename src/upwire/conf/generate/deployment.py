"""What a generated configuration is for."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from upwire.conf.directives import Version
from upwire.conf.generate.values import Backend, Listen, Rate

OLDEST: Version = (1, 20, 0)
"""The oldest nginx that we write for: ssl_reject_handshake came with 1.19.4."""

HTTP2_DIRECTIVE_SINCE: Version = (1, 25, 1)
RESOLVE_SINCE: Version = (1, 27, 3)
STICKY_SINCE: Version = (1, 29, 6)
KEEPALIVE_DEFAULT_SINCE: Version = (1, 29, 7)

_SLUG_LENGTH = 24  # longer names of variables do not fit nginx's default buckets
_HTTP_PORT = 80
_TLS_PORT = 443


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate with its chain, and of its key."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A site with WebSockets, in front of its backends.

    hosts: its names, the first the most important. path: where the WebSockets are. acme_root: the
    folder that the challenges of a certificate's renewal are served from. is_sticky: a client
    comes back to the backend that it had. version: the nginx it is for; None: any since OLDEST.
    is_for_upwire: `upwire proxy` is to read it. idle_s: how long a tunnel may be silent.
    origins: the pages that may open WebSockets; none: all. static: the folder of the site's files.
    resolver: the name server to ask while nginx runs.
    """

    hosts: tuple[str, ...]
    backends: tuple[Backend, ...]
    path: str = "/"
    certificate: Certificate | None = None
    acme_root: str | None = None
    is_sticky: bool = False
    version: Version | None = None
    is_for_upwire: bool = False
    idle_s: int = 3600
    rate: Rate | None = None
    origins: tuple[str, ...] = ()
    static: str | None = None
    listen: Listen | None = None
    is_ipv6: bool = False
    has_hsts: bool = False
    resolver: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what does not go together."""
        if not self.hosts:
            raise ValueError("a host is missing, such as chat.example.com")
        if not self.backends:
            raise ValueError("a backend is missing, such as 127.0.0.1:8080")
        for name, values in (("host", self.hosts), ("backend", self.backends)):
            if len(set(values)) < len(values):
                raise ValueError(f"a {name} is named twice")
        if self.version is not None and self.version < OLDEST:
            oldest = ".".join(map(str, OLDEST[:2]))
            raise ValueError(f"nginx before {oldest} is too old to be written for")
        if self.static is not None and self.path == "/":
            raise ValueError("static files need WebSockets at a path of their own, such as /ws")
        self._check_tls()
        if self.resolver is not None and not self._can_resolve:
            raise ValueError("a resolver is of use for backends with names, from nginx 1.27.3 on")
        if self.is_ipv6 and self.listen is not None and self.listen.address:
            raise ValueError("IPv6 beside IPv4 needs a port to listen on without an address")

    def _check_tls(self) -> None:
        if self.certificate is None and (self.has_hsts or self.acme_root is not None):
            raise ValueError("HSTS and ACME need a certificate")
        if self.acme_root is not None and self.port != _TLS_PORT:
            raise ValueError("ACME asks on port 80, which goes with 443 and no other port")
        if self.acme_root is not None and any(host.startswith("*.") for host in self.hosts):
            raise ValueError("ACME over HTTP gives no certificate for a wildcard")

    @property
    def is_tls(self) -> bool:
        """Whether clients speak TLS."""
        return self.certificate is not None

    @property
    def port(self) -> int:
        """Where the site listens."""
        if self.listen is not None:
            return self.listen.port
        return _TLS_PORT if self.is_tls else _HTTP_PORT

    @property
    def address(self) -> str:
        """The address that the site listens on, "" for all."""
        return self.listen.address if self.listen is not None else ""

    @property
    def redirects(self) -> bool:
        """Whether there is a second port, for who comes without TLS."""
        return self.is_tls and self.port == _TLS_PORT

    @property
    def is_usual_port(self) -> bool:
        """Whether browsers leave the port out of Host and Origin."""
        return self.port == (_TLS_PORT if self.is_tls else _HTTP_PORT)

    @property
    def slug(self) -> str:
        """The first host as a word of letters, digits and underscores, for the names of a site."""
        host = self.hosts[0]
        word = re.sub(r"[^a-z0-9]", "_", host)
        if len(word) > _SLUG_LENGTH:
            return f"{word[: _SLUG_LENGTH - 8]}{zlib.crc32(host.encode()):08x}"
        return word

    def is_since(self, version: Version) -> bool:
        """Whether the nginx is known to be as new as a version."""
        return self.version is not None and self.version >= version

    @property
    def has_http2(self) -> bool:
        """Whether pages come over HTTP/2: how to ask for it has to be known, and Upwire has not."""
        return self.is_tls and self.version is not None and not self.is_for_upwire

    @property
    def has_several_peers(self) -> bool:
        """Whether there is a choice: a name that is resolved while nginx runs may be many."""
        return len(self.backends) > 1 or self.resolver is not None

    @property
    def _can_resolve(self) -> bool:
        return self.is_since(RESOLVE_SINCE) and any(one.is_name for one in self.backends)

    @property
    def has_sticky_cookie(self) -> bool:
        """Whether nginx's own `sticky` does it, which `upwire proxy` has not."""
        return self.is_sticky and self.is_since(STICKY_SINCE) and not self.is_for_upwire

    @property
    def has_route_cookie(self) -> bool:
        """Whether a cookie of the configuration's own does it."""
        return self.is_sticky and not self.has_sticky_cookie

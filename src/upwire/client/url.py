"""WebSocket URLs. RFC 6455 §3."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit

from upwire.errors import LocalProtocolError

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_UNIX = "ws+unix"
# Surrogates: Python's stand-ins for octets of a command line that are not UTF-8.
_NEVER_IN_URL = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
# What may stand in a path or query besides letters and digits; the rest is percent-encoded.
_SAFE = "/?%:@!$&'()*+,;=~-._[]|"


@dataclass(frozen=True, slots=True)
class WebSocketUrl:
    """Where a WebSocket is.

    host: as a resolver takes it, an IPv6 address without brackets.
    resource: path and query, for the request-target.
    unix: the path of a unix socket to connect to instead of host and port.
    authorization: the value of an Authorization field that the URL's userinfo gives.
    """

    scheme: str
    host: str
    port: int
    resource: str
    unix: str | None = None
    authorization: str | None = None

    def __str__(self) -> str:
        if self.unix is not None and self.scheme == _UNIX:
            return f"{_UNIX}://{self.unix}:{self.resource}"
        return f"{self.scheme}://{self.authority}{self.resource}"

    @property
    def is_secure(self) -> bool:
        return self.scheme == "wss"

    @property
    def authority(self) -> str:
        """Host, and port unless it is the scheme's own: the value of Host. RFC 9110 §7.2."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == _DEFAULT_PORTS.get(self.scheme, self.port)
        return host if is_default else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int, str | None]:
        """What credentials are good for: they are never sent to another."""
        return self.scheme, self.host, self.port, self.unix


def parse_url(url: str) -> WebSocketUrl:
    """Read a ws://, wss:// or ws+unix:// URL; the last is `ws+unix:///run/app.sock:/resource`.

    Raises LocalProtocolError that says what is wrong with it.
    """
    if found := _NEVER_IN_URL.search(url):
        raise LocalProtocolError(f"URL {url!r} has {found[0]!r} in it: percent-encode it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise LocalProtocolError(f"URL {url} is malformed: {error}") from None
    if parts.fragment or url.endswith("#"):
        raise LocalProtocolError(f"URL {url} has a fragment, which no WebSocket has (RFC 6455 §3)")
    if parts.scheme == _UNIX:
        return _parse_unix(url, parts)
    if parts.scheme not in _DEFAULT_PORTS:
        raise LocalProtocolError(f"URL {url} is none of a WebSocket: use {_suggest(parts)}")
    if not parts.hostname:
        raise LocalProtocolError(f"URL {url} has no host")
    return WebSocketUrl(
        parts.scheme,
        _to_ascii(parts.hostname),
        _DEFAULT_PORTS[parts.scheme] if port is None else port,
        _resource(parts.path, parts.query),
        authorization=_basic(parts),
    )


def redirect(url: WebSocketUrl, location: str) -> WebSocketUrl:
    """Return where a Location field leads; http and https there mean ws and wss.

    A unix socket stays the way to its own host. Raises LocalProtocolError for a URL that is
    malformed, or that would leave TLS: what the application sends was meant to be secret.
    """
    base = f"{'wss' if url.is_secure else 'ws'}://{url.authority}{url.resource}"
    scheme, separator, rest = urljoin(base, location).partition(":")
    target = parse_url({"http": "ws", "https": "wss"}.get(scheme, scheme) + separator + rest)
    if url.is_secure and not target.is_secure:
        raise LocalProtocolError(f"redirect from {url} to {location} would leave TLS")
    if url.unix is None:
        return target
    if target.authority != url.authority:
        raise LocalProtocolError(f"redirect to {location} leaves the unix socket {url.unix}")
    return WebSocketUrl(url.scheme, url.host, url.port, target.resource, unix=url.unix)


def _parse_unix(url: str, parts: SplitResult) -> WebSocketUrl:
    socket_path, _, resource = parts.path.partition(":")
    if parts.netloc or not socket_path.startswith("/"):
        raise LocalProtocolError(f"URL {url} has no socket: write ws+unix:///path/to.sock:/chat")
    path = unquote_to_bytes(socket_path).decode("utf-8", "surrogateescape")
    return WebSocketUrl(_UNIX, "localhost", 80, _resource(resource, parts.query), unix=path)


def _resource(path: str, query: str) -> str:
    target = f"{path or '/'}?{query}" if query else path or "/"
    if not target.startswith("/"):
        raise LocalProtocolError(f"path {path} of a URL begins with no slash")
    return quote(target, safe=_SAFE)


def _to_ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise LocalProtocolError(f"{host!r} is not a host name: {error}") from None


def _basic(parts: SplitResult) -> str | None:
    """Return the userinfo as Basic credentials. RFC 7617 §2."""
    if parts.username is None:
        return None
    credentials = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
    return f"Basic {base64.b64encode(credentials).decode()}"


def _suggest(parts: SplitResult) -> str:
    if parts.scheme in ("http", "https"):
        scheme = "ws" if parts.scheme == "http" else "wss"
        return parts._replace(scheme=scheme).geturl()
    return "ws:// or wss://"

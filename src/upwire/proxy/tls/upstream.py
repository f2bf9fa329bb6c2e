"""TLS towards an upstream, as `proxy_ssl_*` has it."""

from __future__ import annotations

from collections.abc import Hashable

from OpenSSL import SSL

from upwire.conf.values import is_ipv4
from upwire.errors import StreamError
from upwire.net.stream import Stream
from upwire.net.tls.transport import start_tls
from upwire.proxy import failure
from upwire.proxy.failure import TryFailed
from upwire.proxy.request import Request
from upwire.proxy.tls.verification import Verification, has_name


class UpstreamTls:
    """TLS for the tries of one request. Raises CannotLoad where a certificate cannot be used.

    default_name: the host of `proxy_pass`, whose certificate it shall be unless `proxy_ssl_name`
    names another.
    """

    __slots__ = ("_context", "_name", "_sessions", "_settings")

    def __init__(self, request: Request, default_name: str) -> None:
        settings = self._settings = request.settings.proxy.ssl
        name = settings.name.render(request.lookup) if settings.name is not None else default_name
        self._name = _without_port(name)
        self._context = request.cycle.upstream_contexts.find(settings, request.lookup)
        self._sessions = request.cycle.upstream_sessions

    @property
    def group(self) -> Hashable:
        """Who may use the same connections: requests with the same settings and name."""
        return self._context, self._name

    async def start(self, stream: Stream, address: Hashable, timeout_s: float) -> Stream:
        """Shake hands with the peer at an address; TryFailed, and the Stream is cut, where not."""
        connection = SSL.Connection(self._context, None)
        connection.set_connect_state()
        verification = Verification()
        connection.set_app_data(verification)
        if self._settings.server_name and _is_host_name(self._name):
            connection.set_tlsext_host_name(self._name.encode("latin-1"))
        peer = (address, self._context, self._name)
        if self._settings.session_reuse:
            self._sessions.resume(peer, connection)
        try:
            transport = await start_tls(stream, connection, timeout_s=timeout_s)
            if self._settings.verify:
                self._check_peer(connection, verification)
        except StreamError as error:
            stream.abort()
            raise _failed(error) from error
        except BaseException:
            stream.abort()
            raise
        if self._settings.session_reuse:
            self._sessions.remember(peer, connection)
        return transport.open()

    def _check_peer(self, connection: SSL.Connection, verification: Verification) -> None:
        if verification.error:
            reason = "upstream SSL certificate verify error: "
            reason += f"({verification.error}:{verification.text})"
            raise TryFailed("error", reason, failure.SHAKING_HANDS)
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not has_name(certificate, self._name):
            reason = f'upstream SSL certificate does not match "{self._name}"'
            raise TryFailed("error", reason, failure.SHAKING_HANDS)


def _failed(error: StreamError) -> TryFailed:
    if error.is_timeout:
        return failure.timed_out(failure.SHAKING_HANDS)
    cause = error.__cause__
    reason = f"SSL_do_handshake() failed ({error.message})"
    if not isinstance(cause, SSL.Error):
        reason = "peer closed connection in SSL handshake"
    return TryFailed("error", reason, failure.SHAKING_HANDS)


def _without_port(name: str) -> str:
    """Cut the port off a name, which $proxy_host and $http_host have; as nginx does."""
    end = name.find("]") if name.startswith("[") else 0
    colon = name.find(":", max(end, 0))
    return name[:colon] if colon >= 0 else name


def _is_host_name(name: str) -> bool:
    """Whether a name may be told to a server: an address may not (RFC 6066 §3)."""
    return bool(name) and not name.startswith("[") and not is_ipv4(name)

"""A client's TLS handshake: the server by the name that it asks for, and what is agreed."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress

from OpenSSL import SSL

from upwire.conf.model import Server
from upwire.errors import RemoteProtocolError, StreamError
from upwire.net.stream import Stream
from upwire.net.tls.transport import TlsTransport, start_tls
from upwire.proxy.cycle import Cycle
from upwire.proxy.error_log import describe_error
from upwire.proxy.request import ClientFacts, Request
from upwire.proxy.target import parse_host
from upwire.proxy.tls.client import ClientTls
from upwire.proxy.tls.contexts import can_speak
from upwire.proxy.tls.files import CannotLoad
from upwire.proxy.tls.verification import verify_again
from upwire.proxy.variables import look_up
from upwire.wire.tls import (
    ALERT_INTERNAL_ERROR,
    ALERT_NO_APPLICATION_PROTOCOL,
    ALERT_UNRECOGNIZED_NAME,
    ClientHello,
    ClientHelloReader,
    NotHello,
    fatal_alert,
    is_resumption,
)

_HANDSHAKE_RECORD = 0x16
_SSLV2_BIT = 0x80
_SHAKING_HANDS = "SSL handshaking"


async def shake_hands(stream: Stream, client: ClientFacts, cycle: Cycle) -> Stream | None:
    """Return the Stream for HTTP with a client at an address for TLS; None where it has ended.

    client.tls is what is known of the handshake; it stays None where the client does not speak
    TLS, which its first request is to be told. Why a handshake fails is logged.
    """
    handshake = _Handshake(stream, client, cycle)
    try:
        return await handshake.run(client.servers.default.client_header_timeout_s)
    except _Refused as refused:
        handshake.log("info", f"{refused} while {_SHAKING_HANDS}")
        if refused.alert is not None:
            stream.write(fatal_alert(refused.alert))
    except StreamError as error:
        handshake.log("info", _describe(error))
    finally:
        handshake.end()
    stream.close()
    return None


class _Refused(Exception):
    """A handshake that we do not want. alert: what the client is told (RFC 8446 §6.2)."""

    def __init__(self, message: str, alert: int | None) -> None:
        super().__init__(message)
        self.alert = alert


class _Handshake:
    """One client's, from the first octet to the Stream of what is inside."""

    __slots__ = ("_client", "_cycle", "_request", "_stream")

    def __init__(self, stream: Stream, client: ClientFacts, cycle: Cycle) -> None:
        self._stream = stream
        self._client = client
        self._cycle = cycle
        self._request = Request(cycle, client, None, client.servers.default, look_up)

    def log(self, level: str, message: str) -> None:
        """Write a line into the error log of the server that is known by then."""
        self._request.log(level, message)

    def end(self) -> None:
        """Let go of what refers to itself."""
        self._request.dissolve()

    async def run(self, timeout_s: float) -> Stream:
        """Shake hands, within timeout_s for all of it."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        hello = await self._read_hello(deadline_s)
        if hello is None:
            return self._stream
        tls = self._client.tls = ClientTls(hello, self._find_server(hello.server_name))
        server = self._request.server = tls.named_server or self._client.servers.default
        self._request.settle(None)
        transport = await start_tls(
            self._stream,
            self._connect(server, tls),
            timeout_s=max(deadline_s - loop.time(), 0),
            record_octets=server.ssl.buffer_octets,
        )
        _note_session(tls, transport)
        return transport.open()

    async def _read_hello(self, deadline_s: float) -> ClientHello | None:
        """Look at what the client sends first, and leave it there; None: it is no TLS.

        What cannot be read is left to OpenSSL, which knows the alert for it.
        """
        reader = ClientHelloReader()
        taken: list[bytes] = []
        hello: ClientHello | None = None
        try:
            while hello is None:
                left_s = max(deadline_s - asyncio.get_running_loop().time(), 0)
                octets = await self._stream.read(timeout_s=left_s, doing=_SHAKING_HANDS)
                if not octets:
                    raise StreamError("client closed connection", doing=_SHAKING_HANDS)
                taken.append(octets)
                if octets is taken[0] and not _is_tls(octets[0]):
                    return None
                hello = reader.feed(octets)
        except NotHello:
            hello = ClientHello()
        finally:
            self._stream.unread(b"".join(taken))
        return hello

    def _find_server(self, name: str | None) -> Server | None:
        """Return the server of a name, None where no server has it."""
        with suppress(RemoteProtocolError):
            found = self._client.servers.find_named(parse_host(name)[0]) if name else None
            if found is not None:
                return found[0]
        return None

    def _connect(self, server: Server, tls: ClientTls) -> SSL.Connection:
        """Make OpenSSL's side; raises _Refused where the server does not want the client."""
        offered = tls.hello.alpn_protocols
        if server.ssl.rejects_handshake:
            raise _Refused("handshake is rejected", ALERT_UNRECOGNIZED_NAME)
        if offered and not can_speak(offered):
            raise _Refused("no application protocol in common", ALERT_NO_APPLICATION_PROTOCOL)
        settings = server.ssl if server.ssl.certificates else self._client.servers.default.ssl
        try:
            context = self._cycle.server_contexts.find(settings, self._request.lookup)
        except CannotLoad as error:
            raise _Refused(str(error), ALERT_INTERNAL_ERROR) from error
        connection = tls.connection = SSL.Connection(context, None)
        connection.set_accept_state()
        connection.set_app_data(tls.verification)
        return connection


def _note_session(tls: ClientTls, transport: TlsTransport) -> None:
    """Note whether a session was resumed; the certificate in it is verified like any other."""
    tls.is_resumed = any(is_resumption(flight) for flight in transport.take_flights())
    context = transport.connection.get_context()
    if tls.is_resumed and context.get_verify_mode() != SSL.VERIFY_NONE:
        tls.verification.error = verify_again(context, transport.connection)


def _is_tls(octet: int) -> bool:
    """Whether a first octet begins a handshake, of SSL 2 even; nginx asks the same."""
    return octet == _HANDSHAKE_RECORD or bool(octet & _SSLV2_BIT)


def _describe(error: StreamError) -> str:
    """Say in nginx's words why a handshake failed."""
    if error.is_timeout:
        reason = describe_error(OSError(errno.ETIMEDOUT, ""))
        return f"client timed out {reason} while {_SHAKING_HANDS}"
    if isinstance(error.__cause__, SSL.Error):
        return f"SSL_do_handshake() failed ({error.message}) while {_SHAKING_HANDS}"
    return f"{error.message} while {_SHAKING_HANDS}"

"""What a TLS handshake shows: the certificate, the version, and what ALPN chose."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace

from upwire.errors import ConnectError
from upwire.net.stream import Stream
from upwire.net.tls import client_context, explain
from upwire.probe.evidence import Tls
from upwire.probe.hops import Dialer

_BOTH = ("h2", "http/1.1")


async def look_at_tls(dialer: Dialer) -> Tls:
    """Shake hands twice: as a WebSocket client, and as a browser that knows HTTP/2 too.

    Raises ConnectError where neither works.
    """
    problem, is_refused, first = "", False, Tls()
    try:
        first = await _shake_hands(dialer)
    except ConnectError as error:
        cause = error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            problem = explain(cause).removeprefix("certificate verify failed: ")
        else:
            is_refused = True
    context = client_context(is_verified=False, alpn_protocols=_BOTH)
    browser = replace(dialer, hop=replace(dialer.hop, tls=context))
    second = await _shake_hands(browser)
    return replace(
        first,
        version=second.version,
        alpn=second.alpn,
        problem=problem,
        is_http1_refused=is_refused,
    )


async def _shake_hands(dialer: Dialer) -> Tls:
    stream, _ = await dialer.dial()
    try:
        return _read(stream)
    finally:
        stream.abort()


def _read(stream: Stream) -> Tls:
    session = stream.tls
    if session is None:
        return Tls()
    certificate = session.getpeercert() or {}  # empty where it was not verified
    ends = certificate.get("notAfter")
    names = certificate.get("subjectAltName", ())
    return Tls(
        session.version() or "",
        session.selected_alpn_protocol() or "",
        " ".join(str(name[1]) for name in names if isinstance(name, tuple)),
        expires_s=ssl.cert_time_to_seconds(ends) - time.time() if isinstance(ends, str) else None,
    )

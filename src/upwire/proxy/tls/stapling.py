"""OCSP stapling: an authority's word that a certificate still holds, sent with it. RFC 6960.

A response is fetched when the first client asks for it, and anew before it is too old. A client
that asks meanwhile gets none, as nginx has it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from OpenSSL import SSL

from upwire.errors import ConnectError, RemoteProtocolError, StreamError
from upwire.net.dial import dial
from upwire.net.http1 import HttpClientConnection
from upwire.wire.fields import Headers
from upwire.wire.http1 import DEFAULT_LIMITS, RequestHead

TIMEOUT_S = 60.0
RESPONSE_OCTETS_MAX = 64 * 1024
RETRY_S = 300.0
REFRESH_S = 3600.0
SKEW = timedelta(seconds=300)
"""How far our clock and the responder's may be apart."""

_LIMITS = replace(DEFAULT_LIMITS, accepts_loose_lines=True)
_URL = re.compile(r"http://(\[[^\]]+\]|[^/:]+)(?::(\d{1,5}))?(/.*)?", re.IGNORECASE)

Log = Callable[[str, str], None]
"""Takes a level and a message."""


class Useless(Exception):
    """Why a certificate, or a response for it, cannot be stapled."""


@dataclass(frozen=True, slots=True)
class Responder:
    """Where an authority answers: a URL http://host:port/path, taken apart."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Responder:
        """Raises Useless for what is no URL of plain HTTP."""
        match = _URL.fullmatch(url)
        if match is None:
            raise Useless(f'invalid URL prefix in OCSP responder "{url}"')
        return cls(match[1], int(match[2] or 80), match[3] or "/")


class Staple:
    """The word on one certificate."""

    __slots__ = (
        "_certificate",
        "_issuer",
        "_log",
        "_refresh_at_s",
        "_responder",
        "_response",
        "_task",
        "_valid_until_s",
        "_verifies",
    )

    def __init__(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        responder: Responder,
        log: Log,
        *,
        verifies: bool,
    ) -> None:
        self._certificate = certificate
        self._issuer = issuer
        self._responder = responder
        self._log = log
        self._verifies = verifies
        self._response = b""
        self._valid_until_s = 0.0
        self._refresh_at_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def take(self) -> bytes:
        """Return a response that holds, b"" where there is none; fetch one where that is due."""
        now_s = time.time()
        if self._task is None and self._refresh_at_s < now_s:
            self._task = asyncio.get_running_loop().create_task(self._refresh())
        return self._response if self._valid_until_s >= now_s else b""

    async def _refresh(self) -> None:
        now_s = time.time()
        self._refresh_at_s = now_s + RETRY_S
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._fetch()
            self._valid_until_s = check_response(
                response, self._certificate, self._issuer, verifies=self._verifies
            )
        except (Useless, ConnectError, StreamError, RemoteProtocolError, TimeoutError) as error:
            where = f"responder: {self._responder.host}:{self._responder.port}"
            self._log(
                "error", f"{error or 'timed out'} while requesting certificate status, {where}"
            )
        else:
            self._response = response
            latest_s = min(self._valid_until_s - RETRY_S, now_s + REFRESH_S)
            self._refresh_at_s = max(latest_s, now_s + RETRY_S)
        finally:
            self._task = None

    async def _fetch(self) -> bytes:
        """Ask the responder, in the way that may be cached. RFC 6960 Appendix A.1."""
        builder = ocsp.OCSPRequestBuilder()
        asked = builder.add_certificate(self._certificate, self._issuer, SHA1()).build()
        text = base64.b64encode(asked.public_bytes(Encoding.DER)).decode("ascii")
        path = self._responder.path.removesuffix("/") + "/" + quote(text, safe="")
        fields = Headers([("Host", self._responder.host), ("Connection", "close")])
        stream = await dial(self._responder.host, self._responder.port, timeout_s=TIMEOUT_S)
        try:
            http = HttpClientConnection(stream, limits=_LIMITS)
            await http.send_head(RequestHead("GET", path, (1, 1), fields))
            await http.finish()
            head = await http.read_head(timeout_s=TIMEOUT_S)
            if head.status != 200:
                raise Useless(f"OCSP responder answered {head.status}")
            received = bytearray()
            while octets := await http.read(timeout_s=TIMEOUT_S):
                received += octets
                if len(received) > RESPONSE_OCTETS_MAX:
                    raise Useless("OCSP responder sent too big response")
        finally:
            stream.abort()
        return bytes(received)


def check_response(
    octets: bytes, certificate: x509.Certificate, issuer: x509.Certificate, *, verifies: bool
) -> float:
    """Return until when a response says that a certificate is good, in seconds since 1970.

    verifies: whether it has to be signed by the issuer, or by whom the issuer let sign.
    Raises Useless.
    """
    try:
        response = ocsp.load_der_ocsp_response(octets)
    except ValueError as error:
        raise Useless("OCSP response cannot be read") from error
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise Useless(f"OCSP response not successful ({response.response_status.name.lower()})")
    number = certificate.serial_number
    found = next((one for one in response.responses if one.serial_number == number), None)
    if found is None:
        raise Useless("certificate status not found in the OCSP response")
    now = datetime.now(UTC)
    until = found.next_update_utc
    if found.this_update_utc > now + SKEW or (until is not None and until < now - SKEW):
        raise Useless("OCSP response is not valid now")
    if verifies and not _is_signed_for(response, issuer):
        raise Useless("OCSP response is not signed by the issuer")
    if found.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        status = found.certificate_status.name.lower()
        raise Useless(f'certificate status "{status}" in the OCSP response')
    return until.timestamp() if until is not None else float("inf")


def _is_signed_for(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
    """Whether the issuer, or one that it let sign, has signed a response. RFC 6960 §4.2.2.2."""
    signers = [issuer, *(one for one in response.certificates if _may_sign(one, issuer))]
    return any(_has_signed(signer, response) for signer in signers)


def _may_sign(delegate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        delegate.verify_directly_issued_by(issuer)
        usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    now = datetime.now(UTC)
    is_valid = delegate.not_valid_before_utc <= now <= delegate.not_valid_after_utc
    return is_valid and ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _has_signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key, digest = signer.public_key(), response.signature_hash_algorithm
    signature, content = response.signature, response.tbs_response_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(signature, content, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, content, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, content)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def staple_file(context: SSL.Context, response: bytes) -> None:
    """Send one response, whatever it says, with every certificate of a context."""
    context.set_ocsp_server_callback(lambda connection, _: response)


def staple_responses(
    context: SSL.Context,
    chains: Sequence[Sequence[x509.Certificate]],
    trusted: Sequence[x509.Certificate],
    log: Log,
    *,
    responder: str | None,
    verifies: bool,
) -> None:
    """Send with each certificate of a context what its responder says of it.

    chains: each certificate with those that it came with. trusted: where else to look for issuers.
    A certificate without an issuer or a responder is passed over, which is logged.
    """
    staples: dict[bytes, Staple] = {}
    for certificate, *others in chains:
        name = certificate.subject.rfc4514_string()
        try:
            staples[certificate.fingerprint(SHA256())] = Staple(
                certificate,
                _find_issuer(certificate, [*others, *trusted]),
                Responder.parse(responder or _responder_of(certificate)),
                log,
                verifies=verifies,
            )
        except Useless as reason:
            log("warn", f'"ssl_stapling" ignored, {reason} in the certificate "{name}"')

    def take(connection: SSL.Connection, _: object) -> bytes:
        chosen = connection.get_certificate(as_cryptography=True)
        staple = staples.get(chosen.fingerprint(SHA256())) if chosen is not None else None
        return staple.take() if staple is not None else b""

    context.set_ocsp_server_callback(take)


def _find_issuer(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> x509.Certificate:
    for candidate in candidates:
        if candidate.subject == certificate.issuer:
            return candidate
    raise Useless("issuer certificate not found")


def _responder_of(certificate: x509.Certificate) -> str:
    """Return the address that a certificate names (RFC 5280 §4.2.2.1)."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except (x509.ExtensionNotFound, ValueError):
        raise Useless("no OCSP responder URL") from None
    for description in access.value:
        if description.access_method == AuthorityInformationAccessOID.OCSP:
            return str(description.access_location.value)
    raise Useless("no OCSP responder URL")

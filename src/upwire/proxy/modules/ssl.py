"""ngx_http_ssl_module: who may ask what over TLS, and the variables that tell of a client's TLS."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from upwire.conf.model import VerifyClient
from upwire.proxy.request import Handled, Request
from upwire.proxy.tls.client import ClientTls

_CERTIFICATE_ERROR, _NO_CERTIFICATE, _PLAIN_HTTP = 495, 496, 497  # nginx's own; 400 to clients
_MISDIRECTED = 421

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The groups of RFC 8446 §4.2.7 and its successors as OpenSSL names them.
_GROUPS = {
    **{23: "prime256v1", 24: "secp384r1", 25: "secp521r1", 29: "X25519", 30: "X448"},
    **{256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192"},
    **{26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1"},
    **{4587: "SecP256r1MLKEM768", 4588: "X25519MLKEM768", 4589: "SecP384r1MLKEM1024"},
}
_GROUP_ALIASES = {"secp256r1": "prime256v1", "x25519": "X25519", "x448": "X448"}


def check_client(request: Request) -> Handled:
    """Refuse a request in the clear at an address for TLS, and one without the certificate.

    ngx_http_process_request() does so before the phases.
    """
    tls = request.client.tls
    if tls is None:
        if not request.client.servers.is_tls:
            return None
        request.log("info", "client sent plain HTTP request to HTTPS port")
        return _PLAIN_HTTP
    verify = request.server.ssl.verify_client
    if verify is VerifyClient.OFF:
        return None
    verification = tls.verification
    is_tolerated = verify is VerifyClient.OPTIONAL_NO_CA and verification.is_unknown_authority
    if verification.error and not is_tolerated:
        reason = f"({verification.error}:{verification.text})"
        request.log("info", f"client SSL certificate verify error: {reason}")
        return _CERTIFICATE_ERROR
    if verify is VerifyClient.ON and tls.certificate is None:
        request.log("info", "client sent no required SSL certificate")
        return _NO_CERTIFICATE
    return None


def check_host(request: Request, *, is_known: bool) -> Handled:
    """Refuse a Host whose server asks for certificates where TLS named another.

    is_known: whether a server has that name; nginx asks the default server's settings otherwise.
    """
    tls = request.client.tls
    if tls is None or tls.named_server is None or request.host == tls.hello.server_name:
        return None
    server = request.server if is_known else request.client.servers.default
    if server.ssl.verify_client is VerifyClient.OFF:
        return None
    message = "client attempted to request the server name different from the one that was "
    request.log("info", message + "negotiated")
    return _MISDIRECTED


# Variables: None where the client speaks in the clear.

Reader = Callable[[Request], str | None]


def _of_client(read: Callable[[ClientTls], str | None]) -> Reader:
    def reader(request: Request) -> str | None:
        tls = request.client.tls
        return read(tls) if tls is not None else None

    return reader


def _of_connection(read: Callable[[SSL.Connection], str | None]) -> Reader:
    def of_client(tls: ClientTls) -> str | None:
        return read(tls.connection) if tls.connection is not None else None

    return _of_client(of_client)


def _of_certificate(read: Callable[[x509.Certificate], str | None]) -> Reader:
    def of_client(tls: ClientTls) -> str | None:
        certificate = tls.certificate
        return read(certificate) if certificate is not None else None

    return _of_client(of_client)


@cache
def _cipher_names() -> Mapping[int, str]:
    """Return OpenSSL's names of cipher suites by their numbers in TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL")
    return {int(cipher["id"]) & 0xFFFF: str(cipher["name"]) for cipher in context.get_ciphers()}


def _ciphers(tls: ClientTls) -> str:
    names = _cipher_names()
    return ":".join(names.get(number, f"0x{number:04x}") for number in tls.hello.ciphers)


def _curves(tls: ClientTls) -> str:
    return ":".join(_GROUPS.get(number, f"0x{number:04x}") for number in tls.hello.groups)


def _curve(connection: SSL.Connection) -> str | None:
    name = connection.get_group_name()
    return _GROUP_ALIASES.get(name, name) if name else None


def _session_id(connection: SSL.Connection) -> str | None:
    """Return what is equal where a session is the same; OpenSSL's own number is not to be had."""
    master_key = connection.master_key()
    return hashlib.sha256(b"session" + master_key).hexdigest() if master_key else None


def _alpn_protocol(connection: SSL.Connection) -> str | None:
    return connection.get_alpn_proto_negotiated().decode("latin-1") or None


def _raw_certificate(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _folded_certificate(certificate: x509.Certificate) -> str:
    """Return it for use in a field, whose lines go on behind a tab (nginx's old way)."""
    return _raw_certificate(certificate).rstrip("\n").replace("\n", "\n\t")


def _escaped_certificate(certificate: x509.Certificate) -> str:
    return quote(_raw_certificate(certificate), safe="")


def _legacy_name(name: x509.Name) -> str:
    """Return a name as OpenSSL once wrote it: "/C=NL/CN=example.com"."""
    texts = (part.rfc4514_string() for part in name.rdns)
    return "".join(f"/{text}" for text in texts)


def _serial(certificate: x509.Certificate) -> str:
    text = f"{certificate.serial_number:X}"
    return text.rjust(len(text) + len(text) % 2, "0")


def _time(moment: datetime) -> str:
    """Return a time as OpenSSL prints it, whatever the locale."""
    month = _MONTHS[moment.month - 1]
    return f"{month} {moment.day:2d} {moment:%H:%M:%S %Y} GMT"


def _days_left(certificate: x509.Certificate) -> str:
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return str(max(0, left.days))


def _verified(tls: ClientTls) -> str:
    if tls.verification.error:
        return f"FAILED:{tls.verification.text}"
    return "SUCCESS" if tls.certificate is not None else "NONE"


READERS: dict[str, Reader] = {
    "ssl_alpn_protocol": _of_connection(_alpn_protocol),
    "ssl_cipher": _of_connection(lambda connection: connection.get_cipher_name()),
    "ssl_ciphers": _of_client(_ciphers),
    "ssl_client_cert": _of_certificate(_folded_certificate),
    "ssl_client_escaped_cert": _of_certificate(_escaped_certificate),
    "ssl_client_fingerprint": _of_certificate(
        lambda certificate: certificate.fingerprint(SHA1()).hex()  # nginx's choice
    ),
    "ssl_client_i_dn": _of_certificate(lambda certificate: certificate.issuer.rfc4514_string()),
    "ssl_client_i_dn_legacy": _of_certificate(lambda certificate: _legacy_name(certificate.issuer)),
    "ssl_client_raw_cert": _of_certificate(_raw_certificate),
    "ssl_client_s_dn": _of_certificate(lambda certificate: certificate.subject.rfc4514_string()),
    "ssl_client_s_dn_legacy": _of_certificate(
        lambda certificate: _legacy_name(certificate.subject)
    ),
    "ssl_client_serial": _of_certificate(_serial),
    "ssl_client_v_end": _of_certificate(lambda found: _time(found.not_valid_after_utc)),
    "ssl_client_v_remain": _of_certificate(_days_left),
    "ssl_client_v_start": _of_certificate(lambda found: _time(found.not_valid_before_utc)),
    "ssl_client_verify": _of_client(_verified),
    "ssl_curve": _of_connection(_curve),
    "ssl_curves": _of_client(_curves),
    "ssl_protocol": _of_connection(lambda connection: connection.get_protocol_version_name()),
    "ssl_server_name": _of_client(lambda tls: tls.hello.server_name),
    "ssl_session_id": _of_connection(_session_id),
    "ssl_session_reused": _of_client(lambda tls: "r" if tls.is_resumed else "."),
}

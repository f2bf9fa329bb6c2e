"""What `upwire serve` is told of TLS, as a context."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from upwire.errors import ConfigError, Problem, UpwireError
from upwire.net.tls import server_context
from upwire.net.tls.contexts import ALPN_PROTOCOLS, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """key: None where it is in the certificate's file. key_password: None where it has none.

    authorities: whose certificates clients are asked for; cert_reqs: whether they must have one,
    None: where there are authorities.
    """

    certificate: str
    key: str | None = None
    key_password: str | None = None
    authorities: str | None = None
    cert_reqs: int | None = None
    ciphers: str | None = None


def tls_context(files: Certificates) -> ssl.SSLContext:
    """Return the context. Raises ConfigError for a file, UpwireError for ciphers."""
    key = files.key or files.certificate
    if files.key_password is None:
        context = server_context(files.certificate, key)
    else:
        context = _unlocked(files.certificate, key, files.key_password)
    reqs = files.cert_reqs
    if reqs is None:
        reqs = ssl.CERT_NONE if files.authorities is None else ssl.CERT_REQUIRED
    try:
        context.verify_mode = ssl.VerifyMode(reqs)
        if files.authorities is not None:
            context.load_verify_locations(files.authorities)
    except OSError as error:
        what = f'authorities "{files.authorities}"'
        raise ConfigError([Problem(f"cannot load {what}: {explain(error)}")]) from error
    if files.ciphers is not None:
        try:
            context.set_ciphers(files.ciphers)
        except ssl.SSLError as error:
            raise UpwireError(f"OpenSSL has no cipher of {files.ciphers!r:.80}") from error
    return context


def _unlocked(certificate: str, key: str, password: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password)
    except OSError as error:
        what = f'certificate "{certificate}" with key "{key}" and its password'
        raise ConfigError([Problem(f"cannot load {what}: {explain(error)}")]) from error
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    return context

"""TLS contexts for both directions."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from upwire.errors import ConfigError, Problem

ALPN_PROTOCOLS = ("http/1.1",)
"""What we speak over TLS (RFC 7301): WebSockets need HTTP/1.1 here, so nothing newer is offered."""

_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def client_context(
    *,
    ca_file: str | Path | None = None,
    is_verified: bool = True,
    alpn_protocols: Sequence[str] = ALPN_PROTOCOLS,
) -> ssl.SSLContext:
    """Make a context for `dial()` that trusts ca_file, or else the system's authorities.

    is_verified=False takes any certificate. Raises ConfigError where ca_file cannot be loaded.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise _unusable("CA certificates", ca_file, explain(error)) from error
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(alpn_protocols)
    return context


def server_context(
    certificate_file: str | Path,
    key_file: str | Path,
    *,
    alpn_protocols: Sequence[str] = ALPN_PROTOCOLS,
) -> ssl.SSLContext:
    """Make a context for a `Listener` from PEM files: the certificate with its chain, and the key.

    Raises ConfigError that names the file which is missing or wrong, or the pair that does not
    belong together. A key that is locked by a passphrase is refused: nobody may be there to ask.
    """
    _require_pem("certificate", certificate_file, "CERTIFICATE")
    key = _require_pem("certificate key", key_file, "PRIVATE KEY")
    if "ENCRYPTED" in key:
        raise _unusable("certificate key", key_file, "it is locked by a passphrase")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate_file, key_file)
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            reason = f'it does not belong to the certificate "{certificate_file}"'
            raise _unusable("certificate key", key_file, reason) from error
        what = f'certificate "{certificate_file}" with key'
        raise _unusable(what, key_file, explain(error)) from error
    context.set_alpn_protocols(alpn_protocols)
    return context


def explain(error: OSError) -> str:
    """Say in a few words why the system, the resolver or TLS refused."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own text would tell the address once more
    if isinstance(error, ConnectionError):  # asyncio raises it bare during a TLS handshake
        return "connection was ended by the peer"
    return error.strerror or str(error)


def _require_pem(what: str, file: str | Path, label: str) -> str:
    """Read a PEM file. OpenSSL's own errors would not say which of two files is wrong, and why."""
    try:
        text = Path(file).read_text("latin-1")
    except OSError as error:
        raise _unusable(what, file, explain(error)) from error
    if label not in text:
        raise _unusable(
            what, file, f"it holds no {label.strip('-').removeprefix('BEGIN ').lower()}"
        )
    return text


def _unusable(what: str, file: str | Path, reason: str) -> ConfigError:
    return ConfigError([Problem(f'cannot load {what} "{file}": {reason}')])

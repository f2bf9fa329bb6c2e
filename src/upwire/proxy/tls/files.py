"""The files that ssl_* directives name, put into an OpenSSL context.

Every function raises CannotLoad, which names the file and says in nginx's words what is wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import ocsp
from OpenSSL import SSL
from OpenSSL.crypto import X509StoreFlags

from upwire.net.tls.transport import describe

_CRL_CHECK_ALL = X509StoreFlags.CRL_CHECK | X509StoreFlags.CRL_CHECK_ALL
_DATA = "data:"
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----\n?", re.DOTALL)
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | dsa.DSAPrivateKey
)


class CannotLoad(Exception):
    """A file that is missing, or not what it should be. The message is nginx's."""


def use_certificate(
    context: SSL.Context, certificate: str, key: str, folder: str, passwords: Sequence[bytes]
) -> None:
    """Use a certificate with its chain, and the key, which may be locked by one of passwords.

    certificate, key: names of files, below folder if they are relative, or "data:" and PEM text.
    """
    with _path("certificate", certificate, folder) as path:
        try:
            context.use_certificate_chain_file(path)
        except SSL.Error as error:
            raise _cannot("certificate", certificate, folder, error) from error
    private_key = _load_key(key, folder, passwords)
    try:
        context.use_privatekey(private_key)
        context.check_privatekey()
    except SSL.Error as error:
        shown = _shown(key, folder)
        message = f'SSL_CTX_use_PrivateKey("{shown}") failed ({describe(error)})'
        raise CannotLoad(message) from error


def _load_key(name: str, folder: str, passwords: Sequence[bytes]) -> PrivateKey:
    """Return a key; where it is locked, by the first password that fits."""
    with _path("certificate key", name, folder) as path, open(path, "rb") as file:
        block = _KEY.search(file.read())
    if block is None:
        raise _bad_key(name, folder, "no start line")
    why = "bad password read"
    for password in passwords if b"ENCRYPTED" in block[0] else (None,):
        try:
            return cast("PrivateKey", load_pem_private_key(block[0], password))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            why = str(error)
    raise _bad_key(name, folder, why)


def read_passwords(name: str | None, folder: str) -> list[bytes]:
    """Return the lines of a password file."""
    if name is None:
        return []
    path = os.path.join(folder, name)
    try:
        with open(_on_disk(path), "rb") as file:
            return [line.rstrip(b"\r\n") for line in file if line.rstrip(b"\r\n")]
    except OSError as error:
        message = f'open() "{path}" failed ({error.errno}: {error.strerror})'
        raise CannotLoad(message) from error


def read_certificates(name: str, folder: str) -> list[x509.Certificate]:
    """Return the certificates in a file, in its order."""
    with _path("certificate", name, folder) as path, open(path, "rb") as file:
        text = file.read()
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise CannotLoad(f'cannot load certificate "{_shown(name, folder)}": {error}') from error


def read_response(name: str, folder: str) -> bytes:
    """Return the OCSP response in a file."""
    with _path("OCSP response", name, folder) as path, open(path, "rb") as file:
        response = file.read()
    try:
        ocsp.load_der_ocsp_response(response)
    except ValueError as error:
        shown = _shown(name, folder)
        raise CannotLoad(f'd2i_OCSP_RESPONSE_bio("{shown}") failed ({error})') from error
    return response


def trust(context: SSL.Context, name: str, folder: str) -> None:
    """Trust the authorities in a file."""
    with _path("certificate", name, folder) as path:
        try:
            context.load_verify_locations(path)
        except SSL.Error as error:
            raise _cannot("certificate", name, folder, error) from error


def name_authorities(context: SSL.Context, name: str, folder: str) -> None:
    """Tell clients the names of the authorities in a file, each once."""
    with _path("certificate", name, folder) as path:
        context.load_client_ca(path.encode("utf-8", "surrogateescape"))


def revoke(context: SSL.Context, name: str, folder: str) -> None:
    """Refuse what the revocation lists in a file name; each authority of a chain needs one."""
    with _path("CRL", name, folder) as path, open(path, "rb") as file:
        blocks = _CRL.findall(file.read())
    shown = _shown(name, folder)
    if not blocks:
        raise CannotLoad(f'X509_load_crl_file("{shown}") failed (no CRL in it)')
    store = context.get_cert_store()
    assert store is not None
    for block in blocks:
        try:
            store.add_crl(x509.load_pem_x509_crl(block))
        except ValueError as error:
            raise CannotLoad(f'X509_load_crl_file("{shown}") failed ({error})') from error
    store.set_flags(_CRL_CHECK_ALL)


def use_dh_parameters(context: SSL.Context, name: str, folder: str) -> None:
    """Use the group of a file for finite-field Diffie-Hellman."""
    with _path("dhparam", name, folder) as path:
        try:
            context.load_tmp_dh(path.encode("utf-8", "surrogateescape"))
        except SSL.Error as error:
            shown = _shown(name, folder)
            message = f'PEM_read_bio_DHparams("{shown}") failed ({describe(error)})'
            raise CannotLoad(message) from error


@contextmanager
def _path(what: str, name: str, folder: str) -> Iterator[str]:
    """Yield a path at which OpenSSL finds what name means; text is put into memory for it."""
    if name.startswith(("engine:", "store:")):
        raise CannotLoad(f'cannot load {what} "{name}": it is in no file')
    if not name.startswith(_DATA):
        path = _on_disk(os.path.join(folder, name))
        try:
            os.stat(path)
        except OSError as error:
            raise CannotLoad(
                f'cannot load {what} "{_shown(name, folder)}": BIO_new_file() failed '
                f"({error.errno}: {error.strerror})"
            ) from error
        yield path
        return
    descriptor = os.memfd_create("upwire-pem")
    try:
        os.write(descriptor, name.removeprefix(_DATA).encode("latin-1"))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _cannot(what: str, name: str, folder: str, error: SSL.Error) -> CannotLoad:
    shown = _shown(name, folder)
    return CannotLoad(
        f'cannot load {what} "{shown}": PEM_read_bio_X509() failed ({describe(error)})'
    )


def _bad_key(name: str, folder: str, why: str) -> CannotLoad:
    return CannotLoad(
        f'cannot load certificate key "{_shown(name, folder)}": '
        f"PEM_read_bio_PrivateKey() failed ({why})"
    )


def _shown(name: str, folder: str) -> str:
    """Return a name for a message; a key's text is not shown."""
    return _DATA if name.startswith(_DATA) else os.path.join(folder, name)


def _on_disk(name: str) -> str:
    return name.encode("latin-1").decode("utf-8", "surrogateescape")

"""Passwords as htpasswd and nginx keep them: crypt, $apr1$, {PLAIN}, {SHA}, {SSHA} and bcrypt."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from passlib.context import CryptContext
from passlib.exc import PasswordSizeError, PasswordValueError

_SHA_OCTETS = 20
_CRYPT = CryptContext(
    ["sha512_crypt", "sha256_crypt", "bcrypt", "apr_md5_crypt", "md5_crypt", "des_crypt"]
)


def is_password(password: str, kept: str) -> bool:
    """Whether a password is the one that is kept; one kept in an unknown way is nobody's.

    Both are latin-1 text, one character an octet. bcrypt looks at the first 72 octets.
    """
    octets = password.encode("latin-1")
    if kept.startswith("{PLAIN}"):
        return _is_same(octets, kept[len("{PLAIN}") :].encode("latin-1"))
    if kept.startswith("{SHA}"):
        return _is_same(hashlib.sha1(octets).digest(), _decode(kept[len("{SHA}") :]))
    if kept.startswith("{SSHA}"):
        salted = _decode(kept[len("{SSHA}") :])
        digest, salt = salted[:_SHA_OCTETS], salted[_SHA_OCTETS:]
        return _is_same(hashlib.sha1(octets + salt).digest(), digest)
    if kept.startswith(("$2a$", "$2b$", "$2y$")):
        octets = octets[:72]
    try:
        return _CRYPT.identify(kept) is not None and _CRYPT.verify(octets, kept)
    except (ValueError, PasswordSizeError, PasswordValueError):
        return False


def _decode(text: str) -> bytes:
    """Return the octets of base64; none where it is broken."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def _is_same(one: bytes, two: bytes) -> bool:
    return hmac.compare_digest(one, two)

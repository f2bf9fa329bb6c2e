"""What became of verifying a peer's certificate: OpenSSL's errors in its words, and names."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

_TEXTS = {  # X509_verify_cert_error_string(), for what verifying a peer can come to
    0: "ok",
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    4: "unable to decrypt certificate's signature",
    5: "unable to decrypt CRL's signature",
    6: "unable to decode issuer public key",
    7: "certificate signature failure",
    8: "CRL signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    11: "CRL is not yet valid",
    12: "CRL has expired",
    13: "format error in certificate's notBefore field",
    14: "format error in certificate's notAfter field",
    15: "format error in CRL's lastUpdate field",
    16: "format error in CRL's nextUpdate field",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    23: "certificate revoked",
    24: "invalid CA certificate",
    25: "path length constraint exceeded",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    33: "unable to get CRL issuer certificate",
    34: "unhandled critical extension",
    35: "key usage does not include CRL signing",
    44: "different CRL scope",
    47: "permitted subtree violation",
    48: "excluded subtree violation",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
    79: "invalid CA certificate",
}

# No known authority signed the certificate: `optional_no_ca` does not mind.
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21, 27})


@dataclass(slots=True)
class Verification:
    """OpenSSL's last error while it verified a peer's certificate; 0 is none.

    It is the app data of the connection, so that `note()` finds it.
    """

    error: int = 0

    @property
    def text(self) -> str:
        """OpenSSL's words for the error."""
        return _TEXTS.get(self.error, f"error number {self.error}")

    @property
    def is_unknown_authority(self) -> bool:
        """Whether nothing is wrong but that nobody known has signed."""
        return self.error in _UNKNOWN_AUTHORITY


def note(connection: SSL.Connection, _: crypto.X509, error: int, __: int, is_right: int) -> bool:
    """Take from OpenSSL what is wrong with one certificate of a chain, and let it go on.

    The handshake completes, so that a client can be told what is wrong, as nginx does.
    """
    verification = connection.get_app_data()
    if not is_right and isinstance(verification, Verification):
        verification.error = error
    return True


def verify_again(context: SSL.Context, connection: SSL.Connection) -> int:
    """Return OpenSSL's error for the certificate of a peer that resumed a session; 0 is none.

    A resumption verifies nothing, and what an authority has revoked since is to be seen.
    """
    certificate = connection.get_peer_certificate()
    store = context.get_cert_store()
    if certificate is None or store is None:
        return 0
    chain = connection.get_peer_cert_chain() or []
    try:
        crypto.X509StoreContext(store, certificate, chain).verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0])
    return 0


def has_name(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate is that of a host name: RFC 6125 §6.4, as X509_check_host() has it.

    The subject's common name counts only where there is no name among the alternatives.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        names = []
    if not names:
        attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(attribute.value) for attribute in attributes]
    return any(_fits(pattern.lower(), name.lower()) for pattern in names)


def _fits(pattern: str, name: str) -> bool:
    """Compare names; "*" stands for one whole label, the first of three at least (§6.4.3)."""
    if not pattern.startswith("*."):
        return bool(name) and pattern == name
    first, _, rest = name.partition(".")
    return bool(first) and "." in rest and rest == pattern[2:]

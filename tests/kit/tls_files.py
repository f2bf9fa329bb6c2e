"""Authorities, certificates, keys and revocation lists in PEM form, made in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from OpenSSL import SSL

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate with its key; an authority's signs those of others."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, password: str = "") -> bytes:
        """Return the key, locked if there is a password."""
        lock: KeySerializationEncryption = NoEncryption()
        if password:
            lock = BestAvailableEncryption(password.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)

    def write(self, folder: Path, name: str) -> None:
        """Write name.crt and name.key."""
        (folder / f"{name}.crt").write_bytes(self.pem)
        (folder / f"{name}.key").write_bytes(self.key_pem())

    def issue(
        self,
        name: str,
        alternatives: Sequence[str] = (),
        *,
        is_authority: bool = False,
        usages: Sequence[x509.ObjectIdentifier] = (),
        responder: str = "",
    ) -> Identity:
        """Sign for another name; alternatives are DNS names. responder: where OCSP is asked."""
        extensions: list[x509.ExtensionType] = []
        if usages:
            extensions.append(x509.ExtendedKeyUsage(usages))
        if responder:
            place = x509.UniformResourceIdentifier(responder)
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
            extensions.append(x509.AuthorityInformationAccess([access]))
        return _make(
            name, alternatives, is_authority=is_authority, issuer=self, extensions=extensions
        )

    def revocations(self, *revoked: Identity) -> bytes:
        """Return the authority's list of certificates that it takes back."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now - _DAY).next_update(now + _DAY)
        for identity in revoked:
            number = identity.certificate.serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def make_authority(name: str = "authority") -> Identity:
    """Return a new authority that nobody else has signed."""
    return _make(name, (), is_authority=True, issuer=None)


def make_self_signed(name: str, *, is_rsa: bool = False) -> Identity:
    """Return a server's certificate that it signed itself."""
    return _make(name, (), is_authority=False, issuer=None, is_rsa=is_rsa)


def server_connection(identity: Identity) -> SSL.Connection:
    """Return OpenSSL's side of a server."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(identity.certificate)
    context.use_privatekey(identity.key)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


def client_connection(
    server_name: str = "", identity: Identity | None = None, *, version: int = SSL.TLS1_3_VERSION
) -> SSL.Connection:
    """Return OpenSSL's side of a client, which trusts everybody. version: the highest of TLS."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    if identity is not None:
        context.use_certificate(identity.certificate)
        context.use_privatekey(identity.key)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    if server_name:
        connection.set_tlsext_host_name(server_name.encode())
    return connection


def _make(
    name: str,
    alternatives: Sequence[str],
    *,
    is_authority: bool,
    issuer: Identity | None,
    is_rsa: bool = False,
    extensions: Sequence[x509.ExtensionType] = (),
) -> Identity:
    key: Key = ec.generate_private_key(ec.SECP256R1())
    if is_rsa:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 2 * _DAY)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if alternatives:
        names = x509.SubjectAlternativeName([x509.DNSName(one) for one in alternatives])
        builder = builder.add_extension(names, critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signer = issuer.key if issuer is not None else key
    return Identity(builder.sign(signer, hashes.SHA256()), key)

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from socket import gaierror

import pytest

from kit.certificates import Certificates, make_certificates
from upwire.errors import ConfigError
from upwire.net.tls.contexts import client_context, explain, server_context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake in memory; return the client's session."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert near.version() == far.version()
    return near


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_the_certificate_is_verified(certificates: Certificates, name: str) -> None:
    server = server_context(certificates.certificate_file, certificates.key_file)
    client = client_context(ca_file=certificates.authority_file)
    session = shake_hands(client, server, name)
    assert session.selected_alpn_protocol() == "http/1.1"
    assert session.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("ca_file", "name", "reason"),
    [
        (False, "localhost", "certificate verify failed: unable to get local issuer certificate"),
        (True, "example.com", "certificate verify failed: Hostname mismatch"),
    ],
)
def test_a_wrong_certificate_is_refused(
    certificates: Certificates, ca_file: bool, name: str, reason: str
) -> None:
    server = server_context(str(certificates.certificate_file), str(certificates.key_file))
    client = client_context(ca_file=certificates.authority_file if ca_file else None)
    with pytest.raises(ssl.SSLError) as caught:
        shake_hands(client, server, name)
    assert explain(caught.value).startswith(reason)


def test_verification_can_be_left_out(certificates: Certificates) -> None:
    server = server_context(certificates.certificate_file, certificates.key_file)
    client = client_context(is_verified=False, alpn_protocols=["h2", "http/1.1"])
    assert shake_hands(client, server, "example.com").selected_alpn_protocol() == "http/1.1"


def remove(certificates: Certificates, certificate: Path, key: Path) -> None:
    key.unlink()


def spoil_certificate(certificates: Certificates, certificate: Path, key: Path) -> None:
    certificate.write_text("spoilt")


def spoil_key(certificates: Certificates, certificate: Path, key: Path) -> None:
    key.write_bytes(b"\xff")


def spoil_content(certificates: Certificates, certificate: Path, key: Path) -> None:
    certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def mix_up(certificates: Certificates, certificate: Path, key: Path) -> None:
    key.write_bytes(certificates.authority_file.with_suffix(".key").read_bytes())


def lock(certificates: Certificates, certificate: Path, key: Path) -> None:
    locking: list[str | Path] = ["openssl", "pkey", "-in", certificates.key_file, "-out", key]
    subprocess.run([*locking, "-aes128", "-passout", "pass:secret"], check=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove, 'cannot load certificate key "{key}": No such file or directory'),
        (spoil_certificate, 'cannot load certificate "{certificate}": it holds no certificate'),
        (spoil_key, 'cannot load certificate key "{key}": it holds no private key'),
        (spoil_content, 'cannot load certificate "{certificate}" with key "{key}": '),
        (
            mix_up,
            'cannot load certificate key "{key}": it does not belong to the certificate '
            '"{certificate}"',
        ),
        (lock, 'cannot load certificate key "{key}": it is locked by a passphrase'),
    ],
)
def test_server_files_that_are_wrong(
    certificates: Certificates,
    tmp_path: Path,
    spoil: Callable[[Certificates, Path, Path], None],
    message: str,
) -> None:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    certificate.write_bytes(certificates.certificate_file.read_bytes())
    key.write_bytes(certificates.key_file.read_bytes())
    spoil(certificates, certificate, key)
    with pytest.raises(ConfigError) as caught:
        server_context(certificate, key)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message.format(certificate=certificate, key=key))


def test_authorities_that_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    with pytest.raises(ConfigError, match="No such file"):
        client_context(ca_file=file)
    file.write_text("spoilt")
    with pytest.raises(ConfigError, match=r'CA certificates ".*authority.pem": no certificate'):
        client_context(ca_file=file)


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "text")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ConnectionResetError(), "connection was ended by the peer"),
        (ssl_error("ODD_ONE"), "odd one"),
        (ssl_error(""), "text"),
        (OSError("odd"), "odd"),
    ],
)
def test_explain(error: OSError, reason: str) -> None:
    assert explain(error) == reason

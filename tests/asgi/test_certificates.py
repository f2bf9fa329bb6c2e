"""TLS as `upwire serve` is told it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from kit.tls_files import make_authority
from upwire.asgi.certificates import Certificates, tls_context
from upwire.errors import ConfigError, UpwireError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """one.crt with one.key, one.pem with both, and locked.key: the key with a password."""
    path = tmp_path_factory.mktemp("certificates")
    one = make_authority("one")
    one.write(path, "one")
    (path / "one.pem").write_bytes(one.pem + one.key_pem())
    (path / "locked.key").write_bytes(one.key_pem("secret"))
    return path


def context(folder: Path, **options: Any) -> ssl.SSLContext:
    """Return the context of files in a folder; options are those of Certificates."""
    named: dict[str, Any] = {
        name: str(folder / value) if isinstance(value, str) and "." in value else value
        for name, value in options.items()
    }
    return tls_context(Certificates(**named))


@pytest.mark.parametrize(
    "files",
    [
        {"certificate": "one.pem"},
        {"certificate": "one.crt", "key": "one.key"},
        {"certificate": "one.crt", "key": "locked.key", "key_password": "secret"},
    ],
)
def test_no_client_is_asked_for_a_certificate(files: dict[str, str], folder: Path) -> None:
    assert context(folder, **files).verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("cert_reqs", "mode"),
    [(None, ssl.CERT_REQUIRED), (0, ssl.CERT_NONE), (1, ssl.CERT_OPTIONAL)],
)
def test_clients_are_asked(cert_reqs: int | None, mode: ssl.VerifyMode, folder: Path) -> None:
    made = context(folder, certificate="one.pem", authorities="one.crt", cert_reqs=cert_reqs)
    assert made.verify_mode is mode
    assert made.get_ca_certs()


def test_ciphers(folder: Path) -> None:
    made = context(folder, certificate="one.pem", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" not in {one["name"] for one in made.get_ciphers()}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ciphers": "none such"}, "OpenSSL has no cipher of 'none such'"),
        ({"authorities": "missing.crt"}, "cannot load authorities .*: No such file"),
    ],
)
def test_what_tls_refuses(options: dict[str, str], complaint: str, folder: Path) -> None:
    with pytest.raises(UpwireError, match=complaint):
        context(folder, certificate="one.pem", **options)


@pytest.mark.parametrize(
    ("key", "password", "complaint"),
    [
        ("locked.key", None, "locked by a passphrase"),
        ("locked.key", "wrong", "and its password: "),
        ("missing.key", "secret", "and its password: No such file"),
    ],
)
def test_a_key_that_stays_locked(
    key: str, password: str | None, complaint: str, folder: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        context(folder, certificate="one.crt", key=key, key_password=password)

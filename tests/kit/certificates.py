"""A throwaway authority and a server certificate that it signed, made with the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form. The server's certificate is for localhost, 127.0.0.1 and ::1."""

    authority_file: Path
    certificate_file: Path
    key_file: Path


def make_certificates(folder: Path) -> Certificates:
    """Make them in folder, valid for two days."""
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    request, extensions = folder / "server.csr", folder / "server.ext"
    certificate, key = folder / "server.pem", folder / "server.key"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
    _openssl(
        "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", "/CN=Upwire test authority",
        "-addext", "keyUsage=critical,keyCertSign", "-keyout", authority_key, "-out", authority,
    )  # fmt: skip
    _openssl("req", *_NEW_KEY, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    _openssl(
        "x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key,
        "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate,
    )  # fmt: skip
    return Certificates(authority, certificate, key)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

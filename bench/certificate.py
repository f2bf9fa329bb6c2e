"""A certificate for the proxies that end TLS, made anew for each run."""

from __future__ import annotations

import functools
import subprocess

from bench.contender import BUILD, Unavailable


@functools.cache
def files() -> dict[str, str]:
    """Return the paths of a certificate, its key, and both in one file. Raises Unavailable."""
    certificate, key, both = (BUILD / f"{name}.pem" for name in ("certificate", "key", "both"))
    BUILD.mkdir(parents=True, exist_ok=True)
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext"),
        *("subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key)),
        *("-out", str(certificate)),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"no certificate without the openssl command: {error}") from error
    both.write_text(certificate.read_text("utf-8") + key.read_text("utf-8"), "utf-8")
    return {"certificate": str(certificate), "key": str(key), "both": str(both)}

"""What a TLS handshake shows."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kit.certificates import Certificates, make_certificates
from upwire.client.url import parse_url
from upwire.errors import ConnectError
from upwire.net.listener import Listener
from upwire.net.stream import Stream
from upwire.net.tls import client_context, server_context
from upwire.probe.evidence import Tls
from upwire.probe.hops import Budget, Dialer, front_hop
from upwire.probe.tls import look_at_tls


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def _end(_: Stream) -> None:
    """Return, so that the listener ends the connection."""


async def _wait_end(stream: Stream) -> None:
    while await stream.read():
        pass


def look(tls: ssl.SSLContext | None, trusted: Path | None, *, host: str = "127.0.0.1") -> Tls:
    async def main() -> Tls:
        listener = Listener(_end if tls is None else _wait_end, tls=tls)
        listener.bind("127.0.0.1", 0)
        async with listener, asyncio.timeout(10):
            port = int(listener.addresses[0][1])
            url = parse_url(f"wss://{host}:{port}/")
            hop = replace(front_hop(url, client_context(ca_file=trusted)), host="127.0.0.1")
            return await look_at_tls(Dialer(hop, Budget(2)))

    return asyncio.run(main())


def server(files: Certificates, alpn: Sequence[str] = ("h2", "http/1.1")) -> ssl.SSLContext:
    return server_context(files.certificate_file, files.key_file, alpn_protocols=alpn)


def test_a_right_certificate(files: Certificates) -> None:
    seen = look(server(files), files.authority_file)
    assert (seen.problem, seen.is_http1_refused, seen.alpn) == ("", False, "h2")
    assert seen.version == "TLSv1.3"
    assert "localhost" in seen.subject
    assert seen.expires_s is not None
    assert 86400 < seen.expires_s < 3 * 86400


def test_a_certificate_of_another_name(files: Certificates) -> None:
    seen = look(server(files), files.authority_file, host="other.test")
    assert "mismatch" in seen.problem
    assert seen.expires_s is None


def test_a_certificate_that_nobody_trusts(files: Certificates) -> None:
    assert "issuer" in look(server(files), None).problem


def test_no_tls_at_all() -> None:
    with pytest.raises(ConnectError):
        look(None, None)

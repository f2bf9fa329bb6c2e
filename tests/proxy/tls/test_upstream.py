"""Requests that go on over TLS, to a peer of this very process over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from OpenSSL import SSL

from kit.loop import in_loop
from kit.nginx import Answer
from kit.proxy_site import cycle_of, get
from kit.tls_files import make_authority, make_self_signed
from upwire.errors import StreamError
from upwire.net.listener import Listener
from upwire.net.stream import Stream
from upwire.net.tls.transport import start_tls
from upwire.proxy.cycle import Cycle

AUTHORITY = make_authority()
PEER = AUTHORITY.issue("peer", ["peer.test", "*.wild.test"])
NAMED = AUTHORITY.issue("only.cn.test")
CLIENT = AUTHORITY.issue("client")
VERIFY = "proxy_ssl_verify on; proxy_ssl_trusted_certificate authority.crt;"


class Peer:
    """Answers each request with what it saw of the handshake."""

    def __init__(self, certificate: str, folder: Path) -> None:
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.context.use_certificate_chain_file(str(folder / f"{certificate}.crt"))
        self.context.use_privatekey_file(str(folder / f"{certificate}.key"))
        self.context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.context.set_session_id(b"peer")
        self.ends_rightly = True
        self.is_silent = False
        self.resumed: list[bool] = []

    async def serve(self, stream: Stream) -> None:
        if self.is_silent:
            await stream.wait_closed()
            return
        connection = SSL.Connection(self.context, None)
        connection.set_accept_state()
        try:
            transport = await start_tls(stream, connection, timeout_s=5)
        except StreamError:
            return
        inner = transport.open()
        await inner.read(timeout_s=5)
        name = (connection.get_servername() or b"-").decode()
        certificate = connection.get_peer_certificate(as_cryptography=True)
        shown = certificate.subject.rfc4514_string() if certificate is not None else "-"
        inner.write(f"HTTP/1.1 200 OK\r\n\r\n{name} {shown}".encode())
        if self.ends_rightly:
            inner.close()
        else:
            stream.write_eof()
        await inner.wait_closed()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name, identity in (("peer", PEER), ("named", NAMED), ("client", CLIENT)):
        identity.write(folder, name)
    AUTHORITY.write(folder, "authority")
    make_self_signed("stranger").write(folder, "stranger")
    (folder / "revoked.crl").write_bytes(AUTHORITY.revocations(PEER))
    return folder


@pytest.fixture(autouse=True)
def no_log(folder: Path) -> Iterator[None]:
    yield
    (folder / "error.log").unlink(missing_ok=True)


@asynccontextmanager
async def site(
    folder: Path, directives: str, certificate: str = "peer", path: str = ""
) -> AsyncIterator[tuple[Cycle, Peer]]:
    peer = Peer(certificate, folder)
    async with Listener(peer.serve) as listener:
        listener.bind("127.0.0.1", 0)
        port = listener.addresses[0][1]
        http = f"""server {{ listen 127.0.0.1:80; location / {{
            proxy_pass https://127.0.0.1:{port}{path}; {directives} }} }}"""
        with cycle_of(http, folder) as cycle:
            yield cycle, peer


async def ask(folder: Path, directives: str, certificate: str = "peer") -> Answer:
    async with site(folder, directives, certificate) as (cycle, _):
        return await get(cycle, "/")


@pytest.mark.parametrize(
    ("directives", "seen"),
    [
        ("", b"- -"),
        ("proxy_ssl_server_name on;", b"- -"),
        ("proxy_ssl_name a.test;", b"- -"),
        ("proxy_ssl_name a.test:81; proxy_ssl_server_name on;", b"a.test -"),
        ("proxy_ssl_name [::1]:81; proxy_ssl_server_name on;", b"- -"),
        ("proxy_ssl_name $http_x; proxy_ssl_server_name on;", b"- -"),
        ("proxy_ssl_certificate client.crt; proxy_ssl_certificate_key client.key;", b"- CN=client"),
        ("proxy_ssl_certificate $http_x; proxy_ssl_certificate_key $http_x;", b"- -"),
    ],
)
@in_loop
async def test_what_a_peer_is_told(folder: Path, directives: str, seen: bytes) -> None:
    answer = await ask(folder, directives)
    assert (answer.status, answer.content) == (200, seen)


@pytest.mark.parametrize(
    ("directives", "certificate", "fault"),
    [
        ("proxy_ssl_name peer.test;", "peer", ""),
        ("proxy_ssl_name A.wild.test;", "peer", ""),
        ("proxy_ssl_name only.cn.test;", "named", ""),
        ("proxy_ssl_name peer;", "peer", 'upstream SSL certificate does not match "peer"'),
        ("", "peer", 'upstream SSL certificate does not match "127.0.0.1"'),
        ("proxy_ssl_name $http_x;", "peer", 'upstream SSL certificate does not match ""'),
        ("", "stranger", "verify error: (18:self-signed certificate) while SSL handshaking to up"),
        ("proxy_ssl_crl revoked.crl;", "peer", "verify error: (23:certificate revoked)"),
    ],
)
@in_loop
async def test_who_a_peer_is(folder: Path, directives: str, certificate: str, fault: str) -> None:
    answer = await ask(folder, VERIFY + directives, certificate)
    assert answer.status == (502 if fault else 200)
    if fault:
        assert fault in (folder / "error.log").read_text()


@pytest.mark.parametrize(
    ("directives", "fault"),
    [
        ("proxy_ssl_protocols TLSv1.1;", "SSL_do_handshake() failed (SSL: error:"),
        (
            "proxy_ssl_certificate $http_host.crt; proxy_ssl_certificate_key client.key;",
            'h.crt": BIO_new_file() failed',
        ),
    ],
)
@in_loop
async def test_no_handshake(folder: Path, directives: str, fault: str) -> None:
    assert (await ask(folder, directives)).status == 502
    assert fault in (folder / "error.log").read_text()


@in_loop
async def test_a_peer_that_says_nothing(folder: Path) -> None:
    async with site(folder, "proxy_connect_timeout 100ms;") as (cycle, peer):
        peer.is_silent = True
        assert (await get(cycle, "/")).status == 504
    assert "timed out (110: Connection timed out) while SSL" in (folder / "error.log").read_text()


@in_loop
async def test_a_peer_that_leaves(folder: Path) -> None:
    async def leave(stream: Stream) -> None:
        await stream.read()

    async with Listener(leave) as listener:
        listener.bind("127.0.0.1", 0)
        address = f"127.0.0.1:{listener.addresses[0][1]}"
        http = f"server {{ listen 127.0.0.1:80; location / {{ proxy_pass https://{address}; }} }}"
        with cycle_of(http, folder) as cycle:
            assert (await get(cycle, "/")).status == 502
    assert "peer closed connection in SSL handshake" in (folder / "error.log").read_text()


@in_loop
async def test_a_response_that_is_cut_is_not_ended(folder: Path) -> None:
    """Without a length, only the closure alert says that all has come."""
    async with site(folder, "") as (cycle, peer):
        assert (await get(cycle, "/")).content == b"- -"
        peer.ends_rightly = False
        await get(cycle, "/")
    assert "upstream prematurely closed connection" in (folder / "error.log").read_text()


@pytest.mark.parametrize(("word", "kept"), [("on", 1), ("off", 0)])
@in_loop
async def test_sessions_are_kept(folder: Path, word: str, kept: int) -> None:
    async with site(folder, f"proxy_ssl_session_reuse {word};") as (cycle, _):
        for _ in range(2):
            assert (await get(cycle, "/")).status == 200
        assert len(cycle.upstream_sessions) == kept

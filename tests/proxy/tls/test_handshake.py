from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from OpenSSL import SSL

from kit.loop import in_loop
from kit.nginx import parse_answer
from kit.proxy_site import cycle_of, read_to_end
from kit.tls_files import Identity, client_connection, make_authority, make_self_signed
from kit.tls_site import TlsVisit, get_over_tls
from upwire.errors import StreamError
from upwire.proxy.cycle import Cycle
from upwire.proxy.request import Request

AUTHORITY = make_authority()
CLIENT = AUTHORITY.issue("client")
STRANGER = make_self_signed("stranger")
FILES = "ssl_certificate {0}.crt; ssl_certificate_key {0}.key;"
HTTP = f"""
    server {{
        listen 127.0.0.1:80 ssl; server_name one; {FILES.format("one")}
        return 200 "one $ssl_server_name $ssl_session_reused $scheme";
        client_header_timeout 1s;
    }}
    server {{
        listen 127.0.0.1:80; server_name two *.two; {FILES.format("two")}
        ssl_session_tickets off; ssl_session_cache builtin; ssl_buffer_size 4k;
        return 200 "two $ssl_server_name $ssl_session_reused";
    }}
    server {{ listen 127.0.0.1:80; server_name bare; return 200 bare; }}
    server {{ listen 127.0.0.1:80; server_name shut; ssl_reject_handshake on; }}
    server {{
        listen 127.0.0.1:80; server_name named.test other.test;
        {FILES.format("$ssl_server_name")} return 200 named;
    }}
    server {{
        listen 127.0.0.1:80; server_name on; {FILES.format("one")}
        ssl_verify_client on; ssl_client_certificate authority.crt;
        ssl_session_cache shared:s:1m;
        return 200 "$ssl_client_verify $ssl_session_reused";
    }}
    server {{
        listen 127.0.0.1:80; server_name optional; {FILES.format("one")}
        ssl_verify_client optional; ssl_trusted_certificate authority.crt;
        return 200 $ssl_client_verify;
    }}
    server {{
        listen 127.0.0.1:80; server_name no-ca; {FILES.format("one")}
        ssl_verify_client optional_no_ca; return 200 $ssl_client_verify;
    }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name in ("one", "two", "named.test"):
        make_self_signed(name).write(folder, name)
    AUTHORITY.write(folder, "authority")
    return folder


@pytest.fixture
def cycle(folder: Path) -> Iterator[Cycle]:
    (folder / "error.log").unlink(missing_ok=True)
    with cycle_of(HTTP, folder) as cycle:
        yield cycle


def logged(cycle: Cycle) -> str:
    return Path(cycle.prefix, "error.log").read_text()


def common_name(connection: SSL.Connection) -> str:
    certificate = connection.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    return certificate.subject.rfc4514_string()


async def ask(cycle: Cycle, name: str, identity: Identity | None = None, host: str = "") -> str:
    """Return an answer's status and content."""
    answer = await get_over_tls(cycle, client_connection(name, identity), host=host or name or "h")
    return f"{answer.status} {answer.content.decode()}"


def come_back(connection: SSL.Connection, name: str) -> SSL.Connection:
    """Return a connection that goes on with the session of another."""
    again = SSL.Connection(connection.get_context(), None)
    again.set_connect_state()
    again.set_tlsext_host_name(name.encode())
    session = connection.get_session()
    assert session is not None
    again.set_session(session)
    return again


@pytest.mark.parametrize(
    ("name", "certificate", "content"),
    [
        ("", "one", b"one  . https"),
        ("nobody", "one", b"one nobody . https"),
        ("one", "one", b"one one . https"),
        ("TWO", "two", b"two TWO ."),
        ("x.two", "two", b"two x.two ."),
        ("bare", "one", b"bare"),
        ("named.test", "named.test", b"named"),
    ],
)
@in_loop
async def test_a_name_chooses_server_and_certificate(
    cycle: Cycle, name: str, certificate: str, content: bytes
) -> None:
    connection = client_connection(name)
    answer = await get_over_tls(cycle, connection, host=name.lower() or "h")
    assert answer.content == content
    assert common_name(connection) == f"CN={certificate}"


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize("name", ["one", "two"])
@in_loop
async def test_a_session_is_resumed(cycle: Cycle, name: str, version: int) -> None:
    first = client_connection(name, version=version)
    assert b" . " in (await get_over_tls(cycle, first, host=name)).content + b" "
    second = come_back(first, name)
    assert b" r " in (await get_over_tls(cycle, second, host=name)).content + b" "


@pytest.mark.parametrize("name", ["one", "shut"])
@in_loop
async def test_a_handshake_leaves_no_cycle_of_references(cycle: Cycle, name: str) -> None:
    gc.collect()
    gc.disable()
    try:
        with suppress(StreamError):
            await get_over_tls(cycle, client_connection(name), host=name)
        assert not any(type(one) is Request for one in gc.get_objects())
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "alert", "line"),
    [
        ("shut", "unrecognized name", "handshake is rejected while SSL handshaking"),
        ("other.test", "internal error", 'other.test.crt": BIO_new_file() failed (2: No such'),
    ],
)
@in_loop
async def test_a_handshake_that_is_not_wanted(
    cycle: Cycle, name: str, alert: str, line: str
) -> None:
    with pytest.raises(StreamError, match=alert):
        await ask(cycle, name)
    assert line in logged(cycle)


@pytest.mark.parametrize(
    ("protocols", "chosen"),
    [([b"http/1.1"], b"http/1.1"), ([b"h2", b"http/1.0"], b"http/1.0"), ([b"h2"], None)],
)
@in_loop
async def test_protocols_inside(cycle: Cycle, protocols: list[bytes], chosen: bytes | None) -> None:
    connection = client_connection()
    connection.set_alpn_protos(protocols)
    if chosen is None:
        with pytest.raises(StreamError, match="no application protocol"):
            await get_over_tls(cycle, connection)
    else:
        await get_over_tls(cycle, connection)
        assert connection.get_alpn_proto_negotiated() == chosen


@pytest.mark.parametrize(
    ("name", "identity", "answer"),
    [
        ("on", CLIENT, "200 SUCCESS ."),
        ("on", None, "No required SSL certificate was sent"),
        ("on", STRANGER, "The SSL certificate error"),
        ("optional", None, "200 NONE"),
        ("optional", CLIENT, "200 SUCCESS"),
        ("optional", STRANGER, "The SSL certificate error"),
        ("no-ca", STRANGER, "200 FAILED:self-signed certificate"),
        ("no-ca", CLIENT, "200 FAILED:unable to verify the first certificate"),
    ],
)
@in_loop
async def test_clients_are_verified(
    cycle: Cycle, name: str, identity: Identity | None, answer: str
) -> None:
    assert answer in await ask(cycle, name, identity)


@in_loop
async def test_a_resumed_certificate_is_verified_again(cycle: Cycle) -> None:
    first = client_connection("on", CLIENT)
    await get_over_tls(cycle, first, host="on")
    second = come_back(first, "on")
    assert (await get_over_tls(cycle, second, host="on")).content == b"SUCCESS r"


@pytest.mark.parametrize(
    ("name", "host", "status"),
    [("one", "on", "421"), ("one", "two", "200"), ("one", "nobody", "200"), ("", "on", "400")],
)
@in_loop
async def test_a_host_that_asks_for_more_than_the_name(
    cycle: Cycle, name: str, host: str, status: str
) -> None:
    assert (await ask(cycle, name, host=host)).startswith(status)


@in_loop
async def test_http_in_the_clear_is_told_so(cycle: Cycle) -> None:
    visit = TlsVisit(cycle)
    visit.client.write(b"GET / HTTP/1.1\r\nHost: one\r\n\r\n")
    answer = parse_answer(await read_to_end(visit.client))
    assert (answer.status, b"sent to HTTPS port" in answer.content) == (400, True)
    await visit.end()


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"", "client closed connection while SSL handshaking"),
        (b"\x16\x03", "client closed connection while SSL handshaking"),
        (b"\x16\x03\x01\x00\x05hello", "SSL_do_handshake() failed (SSL: error:"),
        (b"\x80\x2e\x01\x03\x01", "SSL_do_handshake() failed (SSL: error:"),
    ],
)
@in_loop
async def test_a_handshake_that_fails(cycle: Cycle, octets: bytes, line: str) -> None:
    visit = TlsVisit(cycle)
    visit.client.write(octets)
    visit.client.write_eof()
    await read_to_end(visit.client)
    await visit.end()
    assert line in logged(cycle)
    assert "client: 10.1.2.3" in logged(cycle)


@in_loop
async def test_a_handshake_has_a_deadline(cycle: Cycle) -> None:
    visit = TlsVisit(cycle)
    visit.client.write(b"\x16")
    async with asyncio.timeout(5):
        assert await read_to_end(visit.client) == b""
    await visit.end()
    assert "client timed out (110: Connection timed out) while SSL handshaking" in logged(cycle)

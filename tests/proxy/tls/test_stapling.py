"""OCSP: what a response says, and how it gets into handshakes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL

from kit.loop import in_loop
from kit.proxy_site import cycle_of
from kit.tls_files import Identity, make_authority
from kit.tls_site import get_over_tls
from upwire.net.listener import Listener
from upwire.net.stream import Stream
from upwire.proxy.cycle import Cycle
from upwire.proxy.tls import stapling
from upwire.proxy.tls.stapling import Responder, Useless, check_response

AUTHORITY = make_authority()
SERVER = AUTHORITY.issue("server")
OTHER = AUTHORITY.issue("other")
STRANGER = make_authority("stranger")
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def respond(
    identity: Identity = SERVER,
    *,
    signer: Identity = AUTHORITY,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    since: datetime = NOW - HOUR,
    until: datetime | None = NOW + HOUR,
    certificates: list[x509.Certificate] | None = None,
) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        identity.certificate,
        AUTHORITY.certificate,
        SHA1(),
        status,
        since,
        until,
        NOW - HOUR if status is ocsp.OCSPCertStatus.REVOKED else None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if certificates:
        builder = builder.certificates(certificates)
    return builder.sign(signer.key, SHA256()).public_bytes(Encoding.DER)


def check(octets: bytes, *, verifies: bool = True) -> float:
    return check_response(octets, SERVER.certificate, AUTHORITY.certificate, verifies=verifies)


def unsuccessful() -> bytes:
    status = ocsp.OCSPResponseStatus.TRY_LATER
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def test_a_response_holds_until_the_next() -> None:
    assert check(respond()) == pytest.approx((NOW + HOUR).timestamp(), abs=1)
    assert check(respond(until=None)) == float("inf")
    assert check(respond(signer=STRANGER), verifies=False)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"?", "cannot be read"),
        (unsuccessful(), r"not successful \(try_later\)"),
        (respond(OTHER), "not found"),
        (respond(since=NOW + HOUR), "not valid now"),
        (respond(until=NOW - HOUR / 2), "not valid now"),
        (respond(status=ocsp.OCSPCertStatus.REVOKED), 'status "revoked"'),
        (respond(status=ocsp.OCSPCertStatus.UNKNOWN), 'status "unknown"'),
        (respond(signer=STRANGER), "not signed by the issuer"),
        (respond(signer=OTHER, certificates=[OTHER.certificate]), "not signed by the issuer"),
        (respond(signer=STRANGER, certificates=[STRANGER.certificate]), "not signed by the issuer"),
    ],
)
def test_what_is_not_stapled(octets: bytes, reason: str) -> None:
    with pytest.raises(Useless, match=reason):
        check(octets)


def test_who_the_issuer_let_sign_may_sign() -> None:
    delegate = AUTHORITY.issue("delegate", usages=[ExtendedKeyUsageOID.OCSP_SIGNING])
    assert check(respond(signer=delegate, certificates=[delegate.certificate]))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a.test", ("a.test", 80, "/")),
        ("HTTP://a.test:8080/x/", ("a.test", 8080, "/x/")),
        ("http://[::1]/", ("[::1]", 80, "/")),
    ],
)
def test_responders(url: str, parts: tuple[str, int, str]) -> None:
    assert Responder.parse(url) == Responder(*parts)


@pytest.mark.parametrize("url", ["https://a.test/", "a.test", ""])
def test_no_responders(url: str) -> None:
    with pytest.raises(Useless, match="invalid URL prefix"):
        Responder.parse(url)


class Authority:
    """A responder over HTTP that sends what it is told to."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\n\n" + respond()
        self.asked: list[int] = []

    async def serve(self, stream: Stream) -> None:
        line = (await stream.read(timeout_s=5)).split(b" ")[1].decode()
        request = ocsp.load_der_ocsp_request(base64.b64decode(unquote(line.rpartition("/")[2])))
        self.asked.append(request.serial_number)
        stream.write(self.answer)
        stream.close()
        await stream.wait_closed()


@asynccontextmanager
async def site(folder: Path, directives: str = "") -> AsyncIterator[tuple[Cycle, Authority]]:
    SERVER.write(folder, "server")
    AUTHORITY.write(folder, "authority")
    authority = Authority()
    async with Listener(authority.serve) as listener:
        listener.bind("127.0.0.1", 0)
        http = f"""server {{ listen 127.0.0.1:80 ssl; ssl_stapling on; {directives}
            ssl_certificate server.crt; ssl_certificate_key server.key; return 204; }}"""
        http = http.replace("HERE", f"http://127.0.0.1:{listener.addresses[0][1]}")
        with cycle_of(http, folder) as cycle:
            yield cycle, authority


async def staple(cycle: Cycle) -> bytes:
    """Return what comes with the certificate, as a client that asks for it sees it."""
    got: list[bytes] = []

    def take(_: SSL.Connection, response: bytes, __: object) -> bool:
        got.append(response)
        return True

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_ocsp_client_callback(take)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    connection.request_ocsp()
    await get_over_tls(cycle, connection)
    return got[0]


async def settled() -> None:
    """Wait until the proxy has its response, or not, and everybody is gone."""
    async with asyncio.timeout(5):
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


FETCHED = "ssl_stapling_responder HERE/ocsp; ssl_trusted_certificate authority.crt;"


@in_loop
async def test_a_response_is_fetched_once(tmp_path: Path) -> None:
    async with site(tmp_path, FETCHED + "ssl_stapling_verify on;") as (cycle, authority):
        assert await staple(cycle) == b""
        await settled()
        response = await staple(cycle)
        assert check(response)
        assert await staple(cycle) == response
        assert authority.asked == [SERVER.certificate.serial_number]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "OCSP responder answered 404"),
        (b"HTTP/1.1 200 OK\r\n\r\nwhat", "OCSP response cannot be read"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(70_000), "OCSP responder sent too big response"),
        (b"no HTTP\r\n\r\n", "while requesting certificate status, responder: 127.0.0.1:"),
    ],
)
@in_loop
async def test_a_response_that_is_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], answer: bytes, reason: str
) -> None:
    async with site(tmp_path, FETCHED) as (cycle, authority):
        authority.answer = answer
        assert await staple(cycle) == b""
        await settled()
        assert reason in capfd.readouterr().err
        assert await staple(cycle) == b""
        assert len(authority.asked) == 1


@in_loop
async def test_a_response_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "response").write_bytes(respond(status=ocsp.OCSPCertStatus.REVOKED))
    async with site(tmp_path, "ssl_stapling_file response;") as (cycle, _):
        assert await staple(cycle) == (tmp_path / "response").read_bytes()


@pytest.mark.parametrize(
    ("directives", "reason"),
    [
        ("", "issuer certificate not found in the certificate"),
        ("ssl_trusted_certificate authority.crt;", "no OCSP responder URL in the certificate"),
        (
            "ssl_trusted_certificate authority.crt; ssl_stapling_responder https://x;",
            'invalid URL prefix in OCSP responder "https://x" in the certificate',
        ),
    ],
)
@in_loop
async def test_what_stapling_lacks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], directives: str, reason: str
) -> None:
    async with site(tmp_path, directives) as (cycle, _):
        assert f'"ssl_stapling" ignored, {reason} "CN=server"' in capfd.readouterr().err
        assert await staple(cycle) == b""


def test_the_certificate_names_its_responder() -> None:
    named = AUTHORITY.issue("named", responder="http://127.0.0.1:1/ocsp")
    assert stapling._responder_of(named.certificate) == "http://127.0.0.1:1/ocsp"

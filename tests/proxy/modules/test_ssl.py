"""The variables of a client's TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from OpenSSL import SSL

from kit.loop import in_loop
from kit.proxy_site import cycle_of, make_request
from kit.tls_files import Identity, client_connection, make_authority, make_self_signed
from kit.tls_site import get_over_tls
from upwire.proxy.cycle import Cycle
from upwire.proxy.modules import ssl
from upwire.proxy.modules.ssl import READERS
from upwire.proxy.tls.client import ClientTls
from upwire.proxy.variables import look_up
from upwire.wire.tls import ClientHello

AUTHORITY = make_authority()
CLIENT = AUTHORITY.issue("client")
DATE = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT"


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycle]:
    folder = tmp_path_factory.mktemp("tls")
    make_self_signed("one").write(folder, "one")
    AUTHORITY.write(folder, "authority")
    fields = "".join(f"add_header X-{name} [${name}] always;" for name in READERS)
    http = f"""server {{ listen 127.0.0.1:80 ssl; {fields}
        ssl_certificate one.crt; ssl_certificate_key one.key; ssl_ecdh_curve prime256v1;
        ssl_verify_client optional; ssl_client_certificate authority.crt; return 204; }}"""
    with cycle_of(http, Path(folder)) as cycle:
        yield cycle


async def values(
    cycle: Cycle, identity: Identity | None, protocols: list[bytes] | None = None
) -> dict[str, str]:
    connection = client_connection("h", identity)
    if protocols:
        connection.set_alpn_protos(protocols)
    fields = (await get_over_tls(cycle, connection)).fields
    return {name: fields.get(f"x-{name}", "[]")[1:-1] for name in READERS}


@in_loop
async def test_a_client_without_a_certificate(cycle: Cycle) -> None:
    found = await values(cycle, None, [b"http/1.1"])
    assert found["ssl_protocol"] == "TLSv1.3"
    assert found["ssl_cipher"].startswith("TLS_")
    assert found["ssl_cipher"] in found["ssl_ciphers"].split(":")
    assert found["ssl_curve"] == "prime256v1"
    assert "X25519" in found["ssl_curves"].split(":")
    assert re.fullmatch(r"[0-9a-f]{64}", found["ssl_session_id"])
    assert found["ssl_session_reused"] == "."
    assert found["ssl_server_name"] == "h"
    assert found["ssl_alpn_protocol"] == "http/1.1"
    assert found["ssl_client_verify"] == "NONE"
    certificate = {name for name in READERS if name.startswith("ssl_client_")}
    assert {found[name] for name in certificate - {"ssl_client_verify"}} == {""}


@in_loop
async def test_a_client_with_a_certificate(cycle: Cycle) -> None:
    found = await values(cycle, CLIENT)
    pem = CLIENT.pem.decode()
    assert found["ssl_client_verify"] == "SUCCESS"
    assert unquote(found["ssl_client_escaped_cert"]) == pem
    assert found["ssl_client_s_dn"] == "CN=client"
    assert found["ssl_client_i_dn"] == "CN=authority"
    assert found["ssl_client_s_dn_legacy"] == "/CN=client"
    assert found["ssl_client_i_dn_legacy"] == "/CN=authority"
    assert int(found["ssl_client_serial"], 16) == CLIENT.certificate.serial_number
    assert len(found["ssl_client_serial"]) % 2 == 0
    assert re.fullmatch(r"[0-9a-f]{40}", found["ssl_client_fingerprint"])
    assert re.fullmatch(DATE, found["ssl_client_v_start"])
    assert re.fullmatch(DATE, found["ssl_client_v_end"])
    assert found["ssl_client_v_remain"] == "1"
    assert found["ssl_alpn_protocol"] == ""


def test_the_certificate_itself() -> None:
    pem = CLIENT.pem.decode()
    assert ssl._raw_certificate(CLIENT.certificate) == pem
    assert ssl._folded_certificate(CLIENT.certificate) == pem.rstrip("\n").replace("\n", "\n\t")


def test_a_client_in_the_clear_has_none(cycle: Cycle) -> None:
    request = make_request(cycle)
    assert {look_up(request, name) for name in READERS} == {None}


def test_before_the_handshake_only_the_hello_is_known(cycle: Cycle) -> None:
    request = make_request(cycle)
    request.client.tls = ClientTls(ClientHello("h", (0x1301, 0xFEFE), (29, 9)), None)
    assert look_up(request, "ssl_ciphers") == "TLS_AES_128_GCM_SHA256:0xfefe"
    assert look_up(request, "ssl_curves") == "X25519:0x0009"
    assert look_up(request, "ssl_protocol") is None
    assert look_up(request, "ssl_client_s_dn") is None


def test_no_session_has_no_number(cycle: Cycle) -> None:
    request = make_request(cycle)
    connection = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD), None)
    request.client.tls = ClientTls(ClientHello(), None, connection=connection)
    assert look_up(request, "ssl_session_id") is None
    assert look_up(request, "ssl_curve") is None

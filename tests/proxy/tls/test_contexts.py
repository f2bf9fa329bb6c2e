"""Files that cannot be used stop the start; settings become those of OpenSSL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from OpenSSL import SSL

from kit.loop import in_loop
from kit.proxy_site import cycle_of
from kit.tls_files import client_connection, make_authority, make_self_signed
from kit.tls_site import get_over_tls
from upwire.errors import ConfigError, StreamError
from upwire.proxy.cycle import Cycle
from upwire.proxy.tls import contexts

AUTHORITY = make_authority()
INTERMEDIATE = AUTHORITY.issue("intermediate", is_authority=True)
LEAF = INTERMEDIATE.issue("leaf")
PAIR = "ssl_certificate one.crt; ssl_certificate_key one.key;"
DH = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    make_self_signed("one").write(folder, "one")
    make_self_signed("rsa", is_rsa=True).write(folder, "rsa")
    LEAF.write(folder, "leaf")
    (folder / "chain.crt").write_bytes(LEAF.pem + INTERMEDIATE.pem)
    (folder / "chains.crt").write_bytes(AUTHORITY.pem + INTERMEDIATE.pem)
    (folder / "locked.key").write_bytes(LEAF.key_pem("secret"))
    (folder / "passwords").write_text("wrong\n\nsecret\r\n")
    (folder / "wrong").write_text("wrong\n")
    (folder / "dh.pem").write_text(DH)
    (folder / "empty").touch()
    lists = AUTHORITY.revocations(), INTERMEDIATE.revocations()
    (folder / "none.crl").write_bytes(b"".join(lists))
    (folder / "half.crl").write_bytes(lists[0])
    (folder / "leaf.crl").write_bytes(lists[0] + INTERMEDIATE.revocations(LEAF))
    (folder / "bad.crl").write_text("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    return folder


def server(directives: str) -> str:
    return f"server {{ listen 127.0.0.1:80 ssl; server_name h; {directives} }}"


@pytest.mark.parametrize(
    ("directives", "message"),
    [
        (
            "ssl_certificate no.crt; ssl_certificate_key one.key;",
            'cannot load certificate "{}/no.crt": BIO_new_file() failed (2: No such file or ',
        ),
        (
            "ssl_certificate empty; ssl_certificate_key one.key;",
            'cannot load certificate "{}/empty": PEM_read_bio_X509() failed (SSL: error:PEM ',
        ),
        (
            "ssl_certificate one.crt; ssl_certificate_key no.key;",
            'cannot load certificate key "{}/no.key": BIO_new_file() failed (2: No such file',
        ),
        (
            "ssl_certificate one.crt; ssl_certificate_key empty;",
            'cannot load certificate key "{}/empty": PEM_read_bio_PrivateKey() failed (no start',
        ),
        (
            "ssl_certificate one.crt; ssl_certificate_key rsa.key;",
            'SSL_CTX_use_PrivateKey("{}/rsa.key") failed (SSL: error:',
        ),
        (
            "ssl_certificate leaf.crt; ssl_certificate_key locked.key;",
            'cannot load certificate key "{}/locked.key": PEM_read_bio_PrivateKey() failed (bad ',
        ),
        (
            "ssl_certificate leaf.crt; ssl_certificate_key locked.key; ssl_password_file wrong;",
            'cannot load certificate key "{}/locked.key": PEM_read_bio_PrivateKey() failed (',
        ),
        (
            "ssl_certificate leaf.crt; ssl_certificate_key locked.key; ssl_password_file no;",
            'open() "{}/no" failed (2: No such file or directory)',
        ),
        (
            "ssl_certificate one.crt; ssl_certificate_key engine:x:y;",
            'cannot load certificate key "engine:x:y": it is in no file',
        ),
        (f"{PAIR} ssl_ciphers none;", 'SSL_CTX_set_cipher_list("none") failed (SSL: error:'),
        (f"{PAIR} ssl_ecdh_curve none;", 'SSL_CTX_set1_curves_list("none") failed'),
        (f"{PAIR} ssl_dhparam empty;", 'PEM_read_bio_DHparams("{}/empty") failed (SSL: error:'),
        (
            f"{PAIR} ssl_verify_client on; ssl_client_certificate empty;",
            'cannot load certificate "{}/empty": PEM_read_bio_X509() failed (',
        ),
        (
            f"{PAIR} ssl_stapling on; ssl_stapling_file empty;",
            'd2i_OCSP_RESPONSE_bio("{}/empty") failed (',
        ),
        (
            f"{PAIR} ssl_stapling on; ssl_trusted_certificate empty;",
            'cannot load certificate "{}/empty": PEM_read_bio_X509() failed (',
        ),
        (f"{PAIR} ssl_crl empty;", 'X509_load_crl_file("{}/empty") failed (no CRL in it)'),
        (f"{PAIR} ssl_crl bad.crl;", 'X509_load_crl_file("{}/bad.crl") failed ('),
    ],
)
def test_a_file_that_cannot_be_used(folder: Path, directives: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught, cycle_of(server(directives), folder):
        pass
    (problem,) = caught.value.problems
    assert problem.message.startswith(message.format(folder))
    assert problem.line == 1


def test_a_key_as_text_is_not_shown(folder: Path) -> None:
    text = 'ssl_certificate one.crt; ssl_certificate_key "data:my secret";'
    with pytest.raises(ConfigError, match='key "data:"'), cycle_of(server(text), folder):
        pass


def test_every_server_is_told(folder: Path) -> None:
    bad = server("ssl_certificate a; ssl_certificate_key b;")
    with pytest.raises(ConfigError) as caught, cycle_of(bad + bad.replace(" a;", " c;"), folder):
        pass
    assert len(caught.value.problems) == 2


async def greet(cycle: Cycle, connection: SSL.Connection) -> str:
    """Return the name of the certificate that is shown."""
    await get_over_tls(cycle, connection)
    certificate = connection.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    return certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    "directives",
    [
        "ssl_certificate leaf.crt; ssl_certificate_key locked.key; ssl_password_file passwords;",
        f'ssl_certificate "data:{LEAF.pem.decode()}"; '
        f'ssl_certificate_key "data:{LEAF.key_pem().decode()}";',
        "ssl_certificate leaf.crt; ssl_certificate_key leaf.key; ssl_dhparam dh.pem;",
    ],
)
@in_loop
async def test_ways_to_give_a_pair(folder: Path, directives: str) -> None:
    with cycle_of(server(directives), folder) as cycle:
        assert await greet(cycle, client_connection()) == "CN=leaf"


@in_loop
async def test_a_chain_is_sent(folder: Path) -> None:
    pair = "ssl_certificate chain.crt; ssl_certificate_key leaf.key;"
    with cycle_of(server(pair), folder) as cycle:
        connection = client_connection()
        await greet(cycle, connection)
        assert len(connection.get_peer_cert_chain() or ()) == 2


@pytest.mark.parametrize(
    ("ciphers", "name"), [("ECDHE-RSA-AES128-GCM-SHA256", "rsa"), ("ECDHE-ECDSA-AES256-SHA", "one")]
)
@in_loop
async def test_two_kinds_of_keys(folder: Path, ciphers: str, name: str) -> None:
    pairs = f"{PAIR} ssl_certificate rsa.crt; ssl_certificate_key rsa.key;"
    pairs += "ssl_prefer_server_ciphers on; ssl_ciphers DEFAULT:@SECLEVEL=0;"
    with cycle_of(server(pairs), folder) as cycle:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(ciphers.encode())
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        assert await greet(cycle, connection) == f"CN={name}"


@pytest.mark.parametrize(
    ("protocols", "version", "is_spoken"),
    [
        ("TLSv1.2", SSL.TLS1_3_VERSION, True),
        ("TLSv1.3", SSL.TLS1_2_VERSION, False),
        ("TLSv1.1 TLSv1.3", SSL.TLS1_2_VERSION, False),
        ("TLSv1.2 TLSv1.3", SSL.TLS1_2_VERSION, True),
    ],
)
@in_loop
async def test_protocols(folder: Path, protocols: str, version: int, is_spoken: bool) -> None:
    text = f"{PAIR} ssl_protocols {protocols}; ssl_ecdh_curve X25519:prime256v1;"
    with cycle_of(server(text), folder) as cycle:
        if is_spoken:
            assert await greet(cycle, client_connection(version=version)) == "CN=one"
        else:
            with pytest.raises(StreamError):
                await greet(cycle, client_connection(version=version))


@pytest.mark.parametrize(
    ("directives", "verdict"),
    [
        ("ssl_verify_depth 2;", "SUCCESS"),
        ("ssl_verify_depth 0;", "FAILED:"),
        ("ssl_verify_depth 2; ssl_crl none.crl;", "SUCCESS"),
        ("ssl_verify_depth 2; ssl_crl leaf.crl;", "FAILED:certificate revoked"),
        ("ssl_verify_depth 2; ssl_crl half.crl;", "FAILED:unable to get certificate CRL"),
    ],
)
@in_loop
async def test_chains_of_clients(folder: Path, directives: str, verdict: str) -> None:
    text = f"{PAIR} ssl_verify_client on; ssl_client_certificate chains.crt; {directives}"
    text += "add_header X-Verify $ssl_client_verify always; return 204;"
    with cycle_of(server(text), folder) as cycle:
        answer = await get_over_tls(cycle, client_connection("", LEAF))
        assert answer.fields["x-verify"].startswith(verdict)


@in_loop
async def test_a_certificate_named_by_variables_is_read_anew_when_it_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contexts, "DYNAMIC_MAX", 1)
    pair = "ssl_certificate $ssl_server_name.crt; ssl_certificate_key $ssl_server_name.key;"
    for name in ("a", "b"):
        make_self_signed(name).write(tmp_path, name)
    with cycle_of(server(pair), tmp_path) as cycle:
        assert await greet(cycle, client_connection("a")) == "CN=a"
        assert await greet(cycle, client_connection("a")) == "CN=a"
        assert await greet(cycle, client_connection("b")) == "CN=b"
        make_self_signed("new").write(tmp_path, "a")
        os.utime(tmp_path / "a.crt", (1, 1))
        assert await greet(cycle, client_connection("a")) == "CN=new"


def test_equal_settings_share_a_context(folder: Path) -> None:
    text = (
        server(PAIR) + server(PAIR).replace(" h;", " i;") + server(f"{PAIR} ssl_protocols TLSv1.3;")
    )
    with cycle_of(text, folder) as cycle:
        found = [
            cycle.server_contexts.find(one.ssl, lambda _: None) for one in cycle.config.servers
        ]
        assert found[0] is found[1]
        assert found[0] is not found[2]

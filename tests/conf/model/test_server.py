"""A server's own settings."""

from __future__ import annotations

from kit.conf_text import http
from upwire.conf.model import NameKind, ServerName


def test_certificates_come_in_pairs() -> None:
    (server,) = http(
        "ssl_certificate a; ssl_certificate_key b; ssl_certificate c; ssl_certificate_key d;"
        " server { listen 443 ssl; }"
    ).servers
    pairs = [(pair.certificate.text, pair.key.text) for pair in server.ssl.certificates]
    assert pairs == [("a", "b"), ("c", "d")]


def test_a_server_without_a_name_has_the_empty_one() -> None:
    assert http("server { }").servers[0].names == (ServerName(NameKind.EXACT, ""),)


def test_settings_of_heads_are_inherited() -> None:
    text = "client_header_timeout 5s; ignore_invalid_headers off; server { max_headers 7; }"
    (server,) = http(text).servers
    assert (server.client_header_timeout_s, server.ignore_invalid_headers) == (5, False)
    assert (server.max_headers, server.merge_slashes) == (7, True)
    assert server.large_client_header_buffers.count == 4

"""A directive counts as acted on where the proxy reads what the model made of it; only there."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import upwire.proxy
from upwire.conf.directives import TABLE, Context
from upwire.conf.model import (
    Keepalive,
    LocationSettings,
    Main,
    ProxySettings,
    ProxySslSettings,
    Server,
    SslSettings,
)

assert upwire.proxy.__file__ is not None
PROXY = Path(upwire.proxy.__file__).parent

# The directive of each field, where the field is not named after it.
DIRECTIVES = {
    Main: {"error_logs": "error_log", "worker_rlimit_core_octets": "worker_rlimit_core"},
    Server: {
        "listens": "listen",
        "names": "server_name",
        "locations": "location",
        "client_header_buffer_octets": "client_header_buffer_size",
    },
    SslSettings: {
        "certificates": "ssl_certificate",
        "rejects_handshake": "ssl_reject_handshake",
        "buffer_octets": "ssl_buffer_size",
    },
    ProxySslSettings: {"certificates": "proxy_ssl_certificate"},
    LocationSettings: {
        "access_logs": "access_log",
        "error_logs": "error_log",
        "error_pages": "error_page",
        "add_headers": "add_header",
        "add_trailers": "add_trailer",
        "subrequest_output_octets": "subrequest_output_buffer_size",
        "client_max_body_octets": "client_max_body_size",
    },
    ProxySettings: {
        "pass_": "proxy_pass",
        "set_headers": "proxy_set_header",
        "replaced_headers": "proxy_set_header",
        "buffer_octets": "proxy_buffer_size",
        "hide_headers": "proxy_hide_header",
        "redirects": "proxy_redirect",
        "cookie_domains": "proxy_cookie_domain",
        "cookie_paths": "proxy_cookie_path",
        "max_temp_file_octets": "proxy_max_temp_file_size",
    },
    Keepalive: {"connections": "keepalive"},
}
PREFIXES = {
    ProxySettings: "proxy_",
    Keepalive: "keepalive_",
    SslSettings: "ssl_",
    ProxySslSettings: "proxy_ssl_",
}
# Values of more than one directive, or of none.
COMPOUND = {
    "is_local",
    *("settings", "position", "proxy", "handler", "keepalive_header_s"),
    *(
        "client_body",
        "auth_request",
        "ssl",
        "rewrite",
        "limit_except",
        "ssi",
        "addition",
        "charset",
    ),
    *("try_files", "alias_octets", "access", "real_ip", "sub_filter", "gzip"),
}
# Fields that the file's reader or the process settles otherwise than by reading the attribute:
# `daemon` is asked of the tree, since nginx's default is not ours, and `user` with its place.
READ_ELSEWHERE = {"daemon", "user"}

# Acted on by the shape of the configuration, or by a value that two directives make together.
WITHOUT_A_FIELD = {
    *("client_body_buffer_size", "client_body_in_file_only", "client_body_in_single_buffer"),
    *("client_body_temp_path", "auth_request", "auth_request_set", "try_files", "limit_except"),
    *("return", "rewrite", "set", "break", "if", "add_before_body", "add_after_body"),
    *("addition_types", "ssi", "ssi_silent_errors", "ssi_value_length", "ssi_types"),
    *("ssi_last_modified", "add_header_inherit", "add_trailer_inherit"),
    *("charset", "source_charset"),
    *("override_charset", "charset_types", "charset_map", "mirror_request_body"),
    *("events", "http", "include", "log_format", "map", "server", "upstream"),
    *("proxy_pass_header", "ssl_certificate_key", "proxy_ssl_certificate_key", "stub_status"),
    *("autoindex_format", "autoindex_localtime", "autoindex_exact_size", "empty_gif"),
    *("hash", "ip_hash", "least_conn", "random", "zone"),
    *("allow", "deny", "auth_basic_user_file"),
    *("set_real_ip_from", "real_ip_header", "real_ip_recursive", "geo", "split_clients"),
    *("limit_req_zone", "limit_req_log_level", "limit_req_status", "limit_req_dry_run"),
    *("limit_conn_zone", "limit_conn_log_level", "limit_conn_status", "limit_conn_dry_run"),
    *("sub_filter", "sub_filter_types", "sub_filter_once", "sub_filter_last_modified"),
    *("gzip", "gzip_types", "gzip_comp_level", "gzip_min_length", "gzip_vary"),
    *("gzip_http_version", "gzip_proxied", "gzip_disable", "gunzip", "gzip_static"),
}

UPSTREAM = Context.UPSTREAM
ROWS = [row for rows in TABLE.values() for row in rows]
ACTED_IN_UPSTREAM = {row.name for row in ROWS if row.acted and row.contexts & UPSTREAM}
ACTED = {row.name for row in ROWS if row.acted and not row.contexts & UPSTREAM}
FIELDS = [
    pytest.param(
        field.name,
        _directive,
        ACTED_IN_UPSTREAM if kind is Keepalive else ACTED,
        id=f"{kind.__name__}.{field.name}",
    )
    for kind, named in DIRECTIVES.items()
    for field in fields(kind)
    if field.name not in COMPOUND
    for _directive in [
        named.get(field.name, PREFIXES.get(kind, "") + field.name.removesuffix("_s"))
    ]
]


def attributes_read() -> set[str]:
    """Return the names of all attributes that the proxy's modules read."""
    return {
        node.attr
        for path in PROXY.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


READ = attributes_read() | READ_ELSEWHERE


@pytest.mark.parametrize(("field", "directive", "acted"), FIELDS)
def test_what_the_proxy_reads_is_acted_on(field: str, directive: str, acted: set[str]) -> None:
    assert directive in TABLE
    assert (directive in acted) == (field in READ)


def test_what_is_acted_on_has_a_field() -> None:
    named = {str(case.values[1]) for case in FIELDS}
    assert (ACTED | ACTED_IN_UPSTREAM) - named == WITHOUT_A_FIELD

"""Directives of ngx_stream_proxy_module."""

from functools import partial

from upwire.conf.directives.spec import (
    ARRAY,
    BITMASK,
    ENUM,
    FLAG,
    NUMBER,
    PAIRS,
    SIZE,
    SIZE_TEMPLATE,
    ST,
    STRING,
    STS,
    TEMPLATE,
    TIME,
    DirectiveSpec,
)

PROXY_SSL_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

D = partial(DirectiveSpec, module="ngx_stream_proxy_module")
ROWS: list[DirectiveSpec] = [
    D("proxy_pass", STS),
    D("proxy_bind", ST | STS, arity="12"),
    D("proxy_socket_keepalive", ST | STS, FLAG, "off", since=(1, 15, 6)),
    D("proxy_socket_rcvbuf", ST | STS, SIZE, "0", since=(1, 31, 3)),
    D("proxy_socket_sndbuf", ST | STS, SIZE, "0", since=(1, 31, 3)),
    D("proxy_connect_timeout", ST | STS, TIME, "60s"),
    D("proxy_timeout", ST | STS, TIME, "10m"),
    D("proxy_buffer_size", ST | STS, SIZE, "16k"),
    D("proxy_downstream_buffer", ST | STS, SIZE, "16k"),
    D("proxy_upstream_buffer", ST | STS, SIZE, "16k"),
    D("proxy_upload_rate", ST | STS, SIZE_TEMPLATE),
    D("proxy_download_rate", ST | STS, SIZE_TEMPLATE),
    D("proxy_requests", ST | STS, NUMBER, "0", since=(1, 15, 7)),
    D("proxy_responses", ST | STS, NUMBER),
    D("proxy_next_upstream", ST | STS, FLAG, "on"),
    D("proxy_next_upstream_tries", ST | STS, NUMBER, "0"),
    D("proxy_next_upstream_timeout", ST | STS, TIME, "0"),
    D("proxy_protocol", ST | STS, ENUM, "off", choices=("off", "on", "v2")),
    D("proxy_half_close", ST | STS, FLAG, "off", since=(1, 21, 4)),
    D("proxy_ssl", ST | STS, FLAG, "off"),
    D("proxy_ssl_session_reuse", ST | STS, FLAG, "on"),
    D(
        "proxy_ssl_protocols",
        ST | STS,
        BITMASK,
        arity="1+",
        choices=PROXY_SSL_PROTOCOLS,
        repeats=True,
    ),
    D("proxy_ssl_ciphers", ST | STS, STRING, "DEFAULT"),
    D("proxy_ssl_name", ST | STS, TEMPLATE),
    D("proxy_ssl_server_name", ST | STS, FLAG, "off"),
    D("proxy_ssl_alpn", ST | STS, arity="1+", since=(1, 31, 0)),
    D("proxy_ssl_verify", ST | STS, FLAG, "off"),
    D("proxy_ssl_verify_depth", ST | STS, NUMBER, "1"),
    D("proxy_ssl_trusted_certificate", ST | STS, STRING),
    D("proxy_ssl_crl", ST | STS, STRING),
    D("proxy_ssl_certificate", ST | STS, TEMPLATE),
    D("proxy_ssl_certificate_key", ST | STS, TEMPLATE),
    D("proxy_ssl_certificate_cache", ST | STS, default="off", arity="123", since=(1, 27, 4)),
    D("proxy_ssl_password_file", ST | STS),
    D("proxy_ssl_conf_command", ST | STS, PAIRS, arity="2", inherits=ARRAY, since=(1, 19, 4)),
]

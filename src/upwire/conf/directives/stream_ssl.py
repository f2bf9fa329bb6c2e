"""Directives of ngx_stream_ssl_module."""

from functools import partial

from upwire.conf.directives.spec import (
    ARRAY,
    BITMASK,
    ENUM,
    FLAG,
    NUMBER,
    PAIRS,
    SECONDS,
    ST,
    STRING,
    STRINGS,
    STS,
    TIME,
    DirectiveSpec,
)

SSL_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
SSL_VERIFY = ("off", "on", "optional", "optional_no_ca")

D = partial(DirectiveSpec, module="ngx_stream_ssl_module")
ROWS: list[DirectiveSpec] = [
    D("ssl_handshake_timeout", ST | STS, TIME, "60s"),
    D("ssl_certificate", ST | STS, STRINGS, inherits=ARRAY),
    D("ssl_certificate_key", ST | STS, STRINGS, inherits=ARRAY),
    D("ssl_certificate_cache", ST | STS, default="off", arity="123", since=(1, 27, 4)),
    D("ssl_ech_file", ST | STS, STRINGS, inherits=ARRAY, since=(1, 29, 4)),
    D("ssl_password_file", ST | STS),
    D("ssl_certificate_compression", ST | STS, FLAG, "off", since=(1, 29, 1)),
    D("ssl_dhparam", ST | STS, STRING),
    D("ssl_ecdh_curve", ST | STS, STRING, "auto"),
    D(
        "ssl_protocols",
        ST | STS,
        BITMASK,
        "TLSv1.2 TLSv1.3",
        arity="1+",
        choices=SSL_PROTOCOLS,
        repeats=True,
    ),
    D("ssl_ciphers", ST | STS, STRING, "HIGH:!aNULL:!MD5"),
    D("ssl_verify_client", ST | STS, ENUM, "off", choices=SSL_VERIFY),
    D("ssl_verify_depth", ST | STS, NUMBER, "1"),
    D("ssl_client_certificate", ST | STS, STRING),
    D("ssl_trusted_certificate", ST | STS, STRING),
    D("ssl_prefer_server_ciphers", ST | STS, FLAG, "off"),
    D("ssl_session_cache", ST | STS, default="none", arity="12", repeats=True),
    D("ssl_session_tickets", ST | STS, FLAG, "on"),
    D("ssl_session_ticket_key", ST | STS, STRINGS, inherits=ARRAY),
    D("ssl_session_timeout", ST | STS, SECONDS, "300s"),
    D("ssl_crl", ST | STS, STRING),
    D("ssl_ocsp", ST | STS, ENUM, "off", choices=("off", "on", "leaf")),
    D("ssl_ocsp_responder", ST | STS, STRING),
    D("ssl_ocsp_cache", ST | STS, default="off"),
    D("ssl_stapling", ST | STS, FLAG, "off"),
    D("ssl_stapling_file", ST | STS, STRING),
    D("ssl_stapling_responder", ST | STS, STRING),
    D("ssl_stapling_verify", ST | STS, FLAG, "off"),
    D("ssl_conf_command", ST | STS, PAIRS, arity="2", inherits=ARRAY, since=(1, 19, 4)),
    D("ssl_reject_handshake", ST | STS, FLAG, "off", since=(1, 19, 4)),
    D("ssl_alpn", ST | STS, arity="1+", since=(1, 21, 4)),
]

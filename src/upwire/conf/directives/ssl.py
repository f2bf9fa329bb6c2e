"""Directives of ngx_http_ssl_module."""

from functools import partial

from upwire.conf.directives.spec import (
    ARRAY,
    BITMASK,
    ENUM,
    FLAG,
    HS,
    NUMBER,
    PAIRS,
    SECONDS,
    SIZE,
    STRING,
    STRINGS,
    DirectiveSpec,
)

SSL_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
SSL_VERIFY = ("off", "on", "optional", "optional_no_ca")

D = partial(DirectiveSpec, module="ngx_http_ssl_module")
ROWS: list[DirectiveSpec] = [
    D("ssl_certificate", HS, STRINGS, inherits=ARRAY, acted=True),
    D("ssl_certificate_key", HS, STRINGS, inherits=ARRAY, acted=True),
    D("ssl_certificate_cache", HS, default="off", arity="123", since=(1, 27, 4)),
    D("ssl_ech_file", HS, STRINGS, inherits=ARRAY, since=(1, 29, 4)),
    D("ssl_password_file", HS, acted=True),
    D("ssl_certificate_compression", HS, FLAG, "off", since=(1, 29, 1)),
    D("ssl_dhparam", HS, STRING, acted=True),
    D("ssl_ecdh_curve", HS, STRING, "auto", acted=True),
    D(
        "ssl_protocols",
        HS,
        BITMASK,
        "TLSv1.2 TLSv1.3",
        arity="1+",
        choices=SSL_PROTOCOLS,
        repeats=True,
        acted=True,
    ),
    D("ssl_ciphers", HS, STRING, "HIGH:!aNULL:!MD5", acted=True),
    D("ssl_buffer_size", HS, SIZE, "16k", acted=True),
    D("ssl_verify_client", HS, ENUM, "off", choices=SSL_VERIFY, acted=True),
    D("ssl_verify_depth", HS, NUMBER, "1", acted=True),
    D("ssl_client_certificate", HS, STRING, acted=True),
    D("ssl_trusted_certificate", HS, STRING, acted=True),
    D("ssl_prefer_server_ciphers", HS, FLAG, "off", acted=True),
    D("ssl_session_cache", HS, default="none", arity="12", repeats=True, acted=True),
    D("ssl_session_tickets", HS, FLAG, "on", acted=True),
    D("ssl_session_ticket_key", HS, STRINGS, inherits=ARRAY),
    D("ssl_session_timeout", HS, SECONDS, "300s", acted=True),
    D("ssl_crl", HS, STRING, acted=True),
    D(
        "ssl_ocsp",
        HS,
        ENUM,
        "off",
        choices=("off", "on", "leaf"),
        unacted="whether client certificates are revoked is NOT asked",
    ),
    D("ssl_ocsp_responder", HS, STRING),
    D("ssl_ocsp_cache", HS, default="off"),
    D("ssl_stapling", HS, FLAG, "off", acted=True),
    D("ssl_stapling_file", HS, STRING, acted=True),
    D("ssl_stapling_responder", HS, STRING, acted=True),
    D("ssl_stapling_verify", HS, FLAG, "off", acted=True),
    D("ssl_early_data", HS, FLAG, "off", since=(1, 15, 3)),
    D("ssl_conf_command", HS, PAIRS, arity="2", inherits=ARRAY, since=(1, 19, 4)),
    D("ssl_reject_handshake", HS, FLAG, "off", since=(1, 19, 4), acted=True),
]

"""Directives of ngx_mail_ssl_module."""

from functools import partial

from upwire.conf.directives.spec import (
    ARRAY,
    BITMASK,
    ENUM,
    FLAG,
    ML,
    MLS,
    NUMBER,
    PAIRS,
    SECONDS,
    STRING,
    STRINGS,
    DirectiveSpec,
)

SSL_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
SSL_VERIFY = ("off", "on", "optional", "optional_no_ca")

D = partial(DirectiveSpec, module="ngx_mail_ssl_module")
ROWS: list[DirectiveSpec] = [
    D("starttls", ML | MLS, default="off", repeats=True),
    D("ssl_certificate", ML | MLS, STRINGS, inherits=ARRAY),
    D("ssl_certificate_key", ML | MLS, STRINGS, inherits=ARRAY),
    D("ssl_password_file", ML | MLS),
    D("ssl_certificate_compression", ML | MLS, FLAG, "off", since=(1, 29, 1)),
    D("ssl_dhparam", ML | MLS, STRING),
    D("ssl_ecdh_curve", ML | MLS, STRING, "auto"),
    D(
        "ssl_protocols",
        ML | MLS,
        BITMASK,
        "TLSv1.2 TLSv1.3",
        arity="1+",
        choices=SSL_PROTOCOLS,
        repeats=True,
    ),
    D("ssl_ciphers", ML | MLS, STRING, "HIGH:!aNULL:!MD5"),
    D("ssl_prefer_server_ciphers", ML | MLS, FLAG, "off"),
    D("ssl_session_cache", ML | MLS, default="none", arity="12", repeats=True),
    D("ssl_session_tickets", ML | MLS, FLAG, "on"),
    D("ssl_session_ticket_key", ML | MLS, STRINGS, inherits=ARRAY),
    D("ssl_session_timeout", ML | MLS, SECONDS, "300s"),
    D("ssl_verify_client", ML | MLS, ENUM, "off", choices=SSL_VERIFY),
    D("ssl_verify_depth", ML | MLS, NUMBER, "1"),
    D("ssl_client_certificate", ML | MLS, STRING),
    D("ssl_trusted_certificate", ML | MLS, STRING),
    D("ssl_crl", ML | MLS, STRING),
    D("ssl_conf_command", ML | MLS, PAIRS, arity="2", inherits=ARRAY, since=(1, 19, 4)),
]

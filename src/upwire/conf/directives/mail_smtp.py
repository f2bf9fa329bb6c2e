"""Directives of ngx_mail_smtp_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, BITMASK, ML, MLS, SIZE, TIME, DirectiveSpec

SMTP_AUTH_METHODS = ("plain", "login", "cram-md5", "external", "none")

D = partial(DirectiveSpec, module="ngx_mail_smtp_module")
ROWS: list[DirectiveSpec] = [
    D("smtp_client_buffer", ML | MLS, SIZE, "4k"),
    D("smtp_greeting_delay", ML | MLS, TIME, "0"),
    D("smtp_capabilities", ML | MLS, arity="1+", inherits=ARRAY),
    D(
        "smtp_auth",
        ML | MLS,
        BITMASK,
        "plain login",
        arity="1+",
        choices=SMTP_AUTH_METHODS,
        repeats=True,
    ),
]

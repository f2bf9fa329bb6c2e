"""Directives of ngx_mail_pop3_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, BITMASK, ML, MLS, DirectiveSpec

POP3_AUTH_METHODS = ("plain", "apop", "cram-md5", "external")

D = partial(DirectiveSpec, module="ngx_mail_pop3_module")
ROWS: list[DirectiveSpec] = [
    D("pop3_capabilities", ML | MLS, arity="1+", inherits=ARRAY),
    D("pop3_auth", ML | MLS, BITMASK, "plain", arity="1+", choices=POP3_AUTH_METHODS, repeats=True),
]

"""Directives of ngx_mail_imap_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, BITMASK, ML, MLS, SIZE, DirectiveSpec

IMAP_AUTH_METHODS = ("plain", "login", "cram-md5", "external")

D = partial(DirectiveSpec, module="ngx_mail_imap_module")
ROWS: list[DirectiveSpec] = [
    D("imap_client_buffer", ML | MLS, SIZE, "4k"),
    D("imap_capabilities", ML | MLS, arity="1+", inherits=ARRAY),
    D("imap_auth", ML | MLS, BITMASK, "plain", arity="1+", choices=IMAP_AUTH_METHODS, repeats=True),
]

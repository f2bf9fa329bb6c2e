"""Directives of ngx_mail_auth_http_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, ML, MLS, TIME, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_mail_auth_http_module")
ROWS: list[DirectiveSpec] = [
    D("auth_http", ML | MLS, repeats=True),
    D("auth_http_timeout", ML | MLS, TIME, "60s"),
    D("auth_http_header", ML | MLS, arity="2", inherits=ARRAY),
    D("auth_http_pass_client_cert", ML | MLS, FLAG, "off"),
]

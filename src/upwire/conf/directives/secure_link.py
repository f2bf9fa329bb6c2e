"""Directives of ngx_http_secure_link_module."""

from functools import partial

from upwire.conf.directives.spec import HSL, STRING, TEMPLATE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_secure_link_module")
ROWS: list[DirectiveSpec] = [
    D("secure_link", HSL, TEMPLATE, unacted="links are NOT checked"),
    D("secure_link_md5", HSL, TEMPLATE),
    D("secure_link_secret", HSL, STRING, unacted="links are NOT checked"),
]

"""Directives of ngx_openssl_module."""

from functools import partial

from upwire.conf.directives.spec import DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_openssl_module")
ROWS: list[DirectiveSpec] = [
    D("ssl_engine", M),
]

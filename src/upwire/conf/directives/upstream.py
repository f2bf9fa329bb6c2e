"""Directives of ngx_http_upstream_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, TIME, UP, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_upstream_module")
ROWS: list[DirectiveSpec] = [
    D("upstream", H, BLOCK, repeats=True, acted=True),
    D("server", UP, arity="1+", repeats=True, acted=True),
    D("resolver", UP, arity="1+", acted=True),
    D("resolver_timeout", UP, TIME, acted=True),
]

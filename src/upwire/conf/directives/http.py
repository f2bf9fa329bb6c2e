"""Directives of ngx_http_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_http_module")
ROWS: list[DirectiveSpec] = [
    D("http", M, BLOCK, arity="0", acted=True),
]

"""Directives of ngx_http_flv_module."""

from functools import partial

from upwire.conf.directives.spec import DirectiveSpec, L

D = partial(DirectiveSpec, module="ngx_http_flv_module")
ROWS: list[DirectiveSpec] = [
    D("flv", L, arity="0", repeats=True),
]

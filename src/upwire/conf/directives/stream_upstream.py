"""Directives of ngx_stream_upstream_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, ST, STUP, TIME, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_upstream_module")
ROWS: list[DirectiveSpec] = [
    D("upstream", ST, BLOCK, repeats=True),
    D("server", STUP, arity="1+", repeats=True),
    D("resolver", STUP, arity="1+"),
    D("resolver_timeout", STUP, TIME),
]

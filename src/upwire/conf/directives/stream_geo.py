"""Directives of ngx_stream_geo_module."""

from functools import partial

from upwire.conf.directives.spec import ST, TABLE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_geo_module")
ROWS: list[DirectiveSpec] = [
    D("geo", ST, TABLE, arity="12", repeats=True),
]

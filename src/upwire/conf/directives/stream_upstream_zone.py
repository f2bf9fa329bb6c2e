"""Directives of ngx_stream_upstream_zone_module."""

from functools import partial

from upwire.conf.directives.spec import STUP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_upstream_zone_module")
ROWS: list[DirectiveSpec] = [
    D("zone", STUP, arity="12", repeats=True),
]

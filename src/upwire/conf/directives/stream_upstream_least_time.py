"""Directives of ngx_stream_upstream_least_time_module."""

from functools import partial

from upwire.conf.directives.spec import STUP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_upstream_least_time_module")
ROWS: list[DirectiveSpec] = [
    D("least_time", STUP, arity="12", repeats=True, since=(1, 31, 0)),
]

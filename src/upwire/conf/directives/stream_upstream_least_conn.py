"""Directives of ngx_stream_upstream_least_conn_module."""

from functools import partial

from upwire.conf.directives.spec import STUP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_upstream_least_conn_module")
ROWS: list[DirectiveSpec] = [
    D("least_conn", STUP, arity="0", repeats=True),
]

"""Directives of ngx_http_upstream_least_time_module."""

from functools import partial

from upwire.conf.directives.spec import UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_least_time_module")
ROWS: list[DirectiveSpec] = [
    D("least_time", UP, arity="12", repeats=True, since=(1, 31, 0)),
]

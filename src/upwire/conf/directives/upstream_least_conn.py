"""Directives of ngx_http_upstream_least_conn_module."""

from functools import partial

from upwire.conf.directives.spec import UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_least_conn_module")
ROWS: list[DirectiveSpec] = [
    D("least_conn", UP, arity="0", repeats=True, acted=True),
]

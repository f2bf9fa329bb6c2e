"""Directives of ngx_http_upstream_zone_module."""

from functools import partial

from upwire.conf.directives.spec import UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_zone_module")
ROWS: list[DirectiveSpec] = [
    D("zone", UP, arity="12", repeats=True, acted=True),
]

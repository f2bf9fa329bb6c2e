"""Directives of ngx_http_upstream_sticky_module."""

from functools import partial

from upwire.conf.directives.spec import UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_sticky_module")
ROWS: list[DirectiveSpec] = [
    D("sticky", UP, arity="2+", since=(1, 29, 6)),
]

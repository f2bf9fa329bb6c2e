"""Directives of ngx_http_upstream_random_module."""

from functools import partial

from upwire.conf.directives.spec import UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_random_module")
ROWS: list[DirectiveSpec] = [
    D("random", UP, arity="012", repeats=True, acted=True),
]

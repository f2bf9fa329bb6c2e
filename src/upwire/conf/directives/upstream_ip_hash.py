"""Directives of ngx_http_upstream_ip_hash_module."""

from functools import partial

from upwire.conf.directives.spec import UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_ip_hash_module")
ROWS: list[DirectiveSpec] = [
    D("ip_hash", UP, arity="0", repeats=True, acted=True),
]

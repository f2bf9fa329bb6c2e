"""Directives of ngx_http_random_index_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, DirectiveSpec, L

D = partial(DirectiveSpec, module="ngx_http_random_index_module")
ROWS: list[DirectiveSpec] = [
    D("random_index", L, FLAG, "off"),
]

"""Directives of ngx_http_index_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_index_module")
ROWS: list[DirectiveSpec] = [
    D("index", HSL, default="index.html", arity="1+", inherits=ARRAY, acted=True),
]

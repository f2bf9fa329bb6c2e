"""Directives of ngx_http_copy_filter_module."""

from functools import partial

from upwire.conf.directives.spec import BUFFERS, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_copy_filter_module")
ROWS: list[DirectiveSpec] = [
    D("output_buffers", HSL, BUFFERS, "2 32k", arity="2"),
]

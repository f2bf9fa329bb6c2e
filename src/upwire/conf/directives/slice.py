"""Directives of ngx_http_slice_filter_module."""

from functools import partial

from upwire.conf.directives.spec import HSL, SIZE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_slice_filter_module")
ROWS: list[DirectiveSpec] = [
    D("slice", HSL, SIZE, "0"),
]

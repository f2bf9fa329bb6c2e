"""Directives of ngx_http_addition_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, HSL, STRING, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_addition_filter_module")
ROWS: list[DirectiveSpec] = [
    D("add_before_body", HSL, STRING, acted=True),
    D("add_after_body", HSL, STRING, acted=True),
    D("addition_types", HSL, default="text/html", arity="1+", inherits=ARRAY, acted=True),
]

"""Directives of ngx_http_sub_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_sub_filter_module")
ROWS: list[DirectiveSpec] = [
    D("sub_filter", HSL, arity="2", inherits=ARRAY, acted=True),
    D("sub_filter_types", HSL, default="text/html", arity="1+", inherits=ARRAY, acted=True),
    D("sub_filter_once", HSL, FLAG, "on", acted=True),
    D("sub_filter_last_modified", HSL, FLAG, "off", acted=True),
]

"""Directives of ngx_http_charset_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, HSL, LIF, TABLE, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_charset_filter_module")
ROWS: list[DirectiveSpec] = [
    D("charset", HSL | LIF, default="off", acted=True),
    D("source_charset", HSL | LIF, acted=True),
    D("override_charset", HSL | LIF, FLAG, "off", acted=True),
    D("charset_types", HSL, arity="1+", inherits=ARRAY, acted=True),
    D("charset_map", H, TABLE, arity="2", repeats=True, acted=True),
]

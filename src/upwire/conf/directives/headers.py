"""Directives of ngx_http_headers_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ENUM, HSL, LIF, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_headers_filter_module")
ROWS: list[DirectiveSpec] = [
    D("expires", HSL | LIF, default="off", arity="12", acted=True),
    D("add_header", HSL | LIF, arity="23", inherits=ARRAY, acted=True),
    D("add_trailer", HSL | LIF, arity="23", inherits=ARRAY, since=(1, 13, 2), acted=True),
    D(
        "add_header_inherit",
        HSL | LIF,
        ENUM,
        "on",
        choices=("off", "on", "merge"),
        since=(1, 29, 3),
        acted=True,
    ),
    D(
        "add_trailer_inherit",
        HSL | LIF,
        ENUM,
        "on",
        choices=("off", "on", "merge"),
        since=(1, 29, 3),
        acted=True,
    ),
]

"""Directives of ngx_http_access_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, HSL, LMT, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_access_module")
ROWS: list[DirectiveSpec] = [
    D("allow", HSL | LMT, inherits=ARRAY, acted=True),
    D("deny", HSL | LMT, inherits=ARRAY, acted=True),
]

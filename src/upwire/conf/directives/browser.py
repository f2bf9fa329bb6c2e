"""Directives of ngx_http_browser_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_browser_module")
ROWS: list[DirectiveSpec] = [
    D("modern_browser", HSL, arity="12", inherits=ARRAY),
    D("ancient_browser", HSL, arity="1+", inherits=ARRAY),
    D("modern_browser_value", HSL, repeats=True),
    D("ancient_browser_value", HSL, repeats=True),
]

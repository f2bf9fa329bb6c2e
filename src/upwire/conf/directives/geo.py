"""Directives of ngx_http_geo_module."""

from functools import partial

from upwire.conf.directives.spec import TABLE, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_geo_module")
ROWS: list[DirectiveSpec] = [
    D("geo", H, TABLE, arity="12", repeats=True, acted=True),
]

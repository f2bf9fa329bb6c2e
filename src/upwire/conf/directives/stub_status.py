"""Directives of ngx_http_stub_status_module."""

from functools import partial

from upwire.conf.directives.spec import NONE, SL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_stub_status_module")
ROWS: list[DirectiveSpec] = [
    D("stub_status", SL, arity="01", inherits=NONE, repeats=True, acted=True),
]

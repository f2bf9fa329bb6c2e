"""Directives of ngx_http_empty_gif_module."""

from functools import partial

from upwire.conf.directives.spec import DirectiveSpec, L

D = partial(DirectiveSpec, module="ngx_http_empty_gif_module")
ROWS: list[DirectiveSpec] = [
    D("empty_gif", L, arity="0", repeats=True, acted=True),
]

"""Directives of ngx_http_perl_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, LMT, STRINGS, DirectiveSpec, H, L

D = partial(DirectiveSpec, module="ngx_http_perl_module")
ROWS: list[DirectiveSpec] = [
    D("perl_modules", H, STRINGS, inherits=ARRAY),
    D("perl_require", H, STRINGS, inherits=ARRAY),
    D("perl", L | LMT, repeats=True),
    D("perl_set", H, arity="2", repeats=True),
]

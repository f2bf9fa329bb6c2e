"""Directives of ngx_http_try_files_module."""

from functools import partial

from upwire.conf.directives.spec import NONE, SL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_try_files_module")
ROWS: list[DirectiveSpec] = [
    D("try_files", SL, arity="2+", inherits=NONE, acted=True),
]

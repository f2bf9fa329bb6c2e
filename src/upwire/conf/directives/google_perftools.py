"""Directives of ngx_google_perftools_module."""

from functools import partial

from upwire.conf.directives.spec import STRING, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_google_perftools_module")
ROWS: list[DirectiveSpec] = [
    D("google_perftools_profiles", M, STRING),
]

"""Directives of ngx_conf_module."""

from functools import partial

from upwire.conf.directives.spec import ANY, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_conf_module")
ROWS: list[DirectiveSpec] = [
    D("include", ANY, repeats=True, acted=True),
]

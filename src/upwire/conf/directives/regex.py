"""Directives of ngx_regex_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_regex_module")
ROWS: list[DirectiveSpec] = [
    D("pcre_jit", M, FLAG, "off"),
]

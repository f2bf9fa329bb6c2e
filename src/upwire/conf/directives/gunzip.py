"""Directives of ngx_http_gunzip_filter_module."""

from functools import partial

from upwire.conf.directives.spec import BUFFERS, FLAG, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_gunzip_filter_module")
ROWS: list[DirectiveSpec] = [
    D("gunzip", HSL, FLAG, "off", acted=True),
    D("gunzip_buffers", HSL, BUFFERS, "32 4k", arity="2"),
]

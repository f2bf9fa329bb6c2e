"""Directives of ngx_stream_return_module."""

from functools import partial

from upwire.conf.directives.spec import STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_return_module")
ROWS: list[DirectiveSpec] = [
    D("return", STS),
]

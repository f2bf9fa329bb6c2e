"""Directives of ngx_stream_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_stream_module")
ROWS: list[DirectiveSpec] = [
    D("stream", M, BLOCK, arity="0"),
]

"""Directives of ngx_stream_set_module."""

from functools import partial

from upwire.conf.directives.spec import STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_set_module")
ROWS: list[DirectiveSpec] = [
    D("set", STS, arity="2", repeats=True),
]

"""Directives of ngx_stream_pass_module."""

from functools import partial

from upwire.conf.directives.spec import STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_pass_module")
ROWS: list[DirectiveSpec] = [
    D("pass", STS, since=(1, 25, 5)),
]

"""Directives of ngx_stream_access_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ST, STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_access_module")
ROWS: list[DirectiveSpec] = [
    D("allow", ST | STS, inherits=ARRAY),
    D("deny", ST | STS, inherits=ARRAY),
]

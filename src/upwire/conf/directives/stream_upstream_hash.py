"""Directives of ngx_stream_upstream_hash_module."""

from functools import partial

from upwire.conf.directives.spec import STUP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_upstream_hash_module")
ROWS: list[DirectiveSpec] = [
    D("hash", STUP, arity="12", repeats=True),
]

"""Directives of ngx_stream_upstream_random_module."""

from functools import partial

from upwire.conf.directives.spec import STUP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_upstream_random_module")
ROWS: list[DirectiveSpec] = [
    D("random", STUP, arity="012", repeats=True),
]

"""Directives of ngx_stream_map_module."""

from functools import partial

from upwire.conf.directives.spec import NUMBER, ST, TABLE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_map_module")
ROWS: list[DirectiveSpec] = [
    D("map", ST, TABLE, arity="2", repeats=True),
    D("map_hash_max_size", ST, NUMBER),
    D("map_hash_bucket_size", ST, NUMBER),
]

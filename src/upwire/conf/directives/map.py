"""Directives of ngx_http_map_module."""

from functools import partial

from upwire.conf.directives.spec import NUMBER, TABLE, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_map_module")
ROWS: list[DirectiveSpec] = [
    D("map", H, TABLE, arity="2", repeats=True, acted=True),
    D("map_hash_max_size", H, NUMBER),
    D("map_hash_bucket_size", H, NUMBER),
]

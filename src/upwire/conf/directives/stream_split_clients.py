"""Directives of ngx_stream_split_clients_module."""

from functools import partial

from upwire.conf.directives.spec import ST, TABLE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_split_clients_module")
ROWS: list[DirectiveSpec] = [
    D("split_clients", ST, TABLE, arity="2", repeats=True),
]

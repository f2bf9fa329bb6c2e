"""Directives of ngx_http_split_clients_module."""

from functools import partial

from upwire.conf.directives.spec import TABLE, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_split_clients_module")
ROWS: list[DirectiveSpec] = [
    D("split_clients", H, TABLE, arity="2", repeats=True, acted=True),
]

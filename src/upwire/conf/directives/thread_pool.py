"""Directives of ngx_thread_pool_module."""

from functools import partial

from upwire.conf.directives.spec import DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_thread_pool_module")
ROWS: list[DirectiveSpec] = [
    D("thread_pool", M, default="default threads=32 max_queue=65536", arity="23", repeats=True),
]

"""Directives of ngx_stream_log_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ST, STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_log_module")
ROWS: list[DirectiveSpec] = [
    D("log_format", ST, arity="2+", repeats=True),
    D("access_log", ST | STS, arity="1+", inherits=ARRAY),
    D("open_log_file_cache", ST | STS, default="off", arity="1234"),
]

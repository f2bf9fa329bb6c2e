"""Directives of ngx_stream_limit_conn_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ENUM, FLAG, ST, STS, DirectiveSpec

LIMIT_CONN_LOG_LEVELS = ("info", "notice", "warn", "error")

D = partial(DirectiveSpec, module="ngx_stream_limit_conn_module")
ROWS: list[DirectiveSpec] = [
    D("limit_conn_zone", ST, arity="2", repeats=True),
    D("limit_conn", ST | STS, arity="2", inherits=ARRAY),
    D("limit_conn_log_level", ST | STS, ENUM, "error", choices=LIMIT_CONN_LOG_LEVELS),
    D("limit_conn_dry_run", ST | STS, FLAG, "off", since=(1, 17, 6)),
]

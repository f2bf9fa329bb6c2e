"""Directives of ngx_errlog_module."""

from functools import partial

from upwire.conf.directives.spec import DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_errlog_module")
ROWS: list[DirectiveSpec] = [
    D("error_log", M, default="logs/error.log error", arity="1+", repeats=True, acted=True),
]

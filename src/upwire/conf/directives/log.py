"""Directives of ngx_http_log_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, HSL, LIF, LMT, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_log_module")
ROWS: list[DirectiveSpec] = [
    D("log_format", H, default='combined "..."', arity="2+", repeats=True, acted=True),
    D(
        "access_log",
        HSL | LIF | LMT,
        default="logs/access.log combined",
        arity="1+",
        inherits=ARRAY,
        acted=True,
    ),
    D("open_log_file_cache", HSL, default="off", arity="1234", acted=True),
]

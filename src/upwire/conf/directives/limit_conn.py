"""Directives of ngx_http_limit_conn_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ENUM, FLAG, HSL, NUMBER, DirectiveSpec, H

LIMIT_CONN_LOG_LEVELS = ("info", "notice", "warn", "error")

D = partial(DirectiveSpec, module="ngx_http_limit_conn_module")
ROWS: list[DirectiveSpec] = [
    D("limit_conn_zone", H, arity="2", repeats=True, acted=True),
    D("limit_conn", HSL, arity="2", inherits=ARRAY, acted=True),
    D("limit_conn_log_level", HSL, ENUM, "error", choices=LIMIT_CONN_LOG_LEVELS, acted=True),
    D("limit_conn_status", HSL, NUMBER, limits=(400, 599), acted=True),
    D("limit_conn_dry_run", HSL, FLAG, "off", since=(1, 17, 6), acted=True),
]

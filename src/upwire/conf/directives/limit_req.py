"""Directives of ngx_http_limit_req_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ENUM, FLAG, HSL, NUMBER, DirectiveSpec, H

LIMIT_REQ_LOG_LEVELS = ("info", "notice", "warn", "error")

D = partial(DirectiveSpec, module="ngx_http_limit_req_module")
ROWS: list[DirectiveSpec] = [
    D("limit_req_zone", H, arity="3", repeats=True, acted=True),
    D("limit_req", HSL, arity="123", inherits=ARRAY, acted=True),
    D("limit_req_log_level", HSL, ENUM, "error", choices=LIMIT_REQ_LOG_LEVELS, acted=True),
    D("limit_req_status", HSL, NUMBER, limits=(400, 599), acted=True),
    D("limit_req_dry_run", HSL, FLAG, "off", since=(1, 17, 1), acted=True),
]

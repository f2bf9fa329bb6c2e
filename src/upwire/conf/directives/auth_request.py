"""Directives of ngx_http_auth_request_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_auth_request_module")
ROWS: list[DirectiveSpec] = [
    D("auth_request", HSL, default="off", acted=True),
    D("auth_request_set", HSL, arity="2", inherits=ARRAY, acted=True),
]

"""Directives of ngx_http_auth_basic_module."""

from functools import partial

from upwire.conf.directives.spec import HSL, LMT, TEMPLATE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_auth_basic_module")
ROWS: list[DirectiveSpec] = [
    D("auth_basic", HSL | LMT, TEMPLATE, "off", acted=True),
    D("auth_basic_user_file", HSL | LMT, acted=True),
]

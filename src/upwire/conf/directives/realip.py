"""Directives of ngx_http_realip_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_realip_module")
ROWS: list[DirectiveSpec] = [
    D("set_real_ip_from", HSL, inherits=ARRAY, acted=True),
    D("real_ip_header", HSL, default="X-Real-IP", acted=True),
    D("real_ip_recursive", HSL, FLAG, "off", acted=True),
]

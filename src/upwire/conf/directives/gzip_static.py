"""Directives of ngx_http_gzip_static_module."""

from functools import partial

from upwire.conf.directives.spec import ENUM, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_gzip_static_module")
ROWS: list[DirectiveSpec] = [
    D("gzip_static", HSL, ENUM, "off", choices=("off", "on", "always"), acted=True),
]

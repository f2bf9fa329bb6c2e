"""Directives of ngx_http_mirror_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, HSL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_mirror_module")
ROWS: list[DirectiveSpec] = [
    D("mirror", HSL, default="off", inherits=ARRAY, since=(1, 13, 4), acted=True),
    D("mirror_request_body", HSL, FLAG, "on", since=(1, 13, 4), acted=True),
]

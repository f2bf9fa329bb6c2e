"""Directives of ngx_http_dav_module."""

from functools import partial

from upwire.conf.directives.spec import ACCESS, BITMASK, FLAG, HSL, NUMBER, DirectiveSpec

DAV_METHODS = ("off", "put", "delete", "mkcol", "copy", "move")

D = partial(DirectiveSpec, module="ngx_http_dav_module")
ROWS: list[DirectiveSpec] = [
    D("dav_methods", HSL, BITMASK, "off", arity="1+", choices=DAV_METHODS, repeats=True),
    D("create_full_put_path", HSL, FLAG, "off"),
    D("min_delete_depth", HSL, NUMBER, "0"),
    D("dav_access", HSL, ACCESS, "user:rw", arity="123"),
]

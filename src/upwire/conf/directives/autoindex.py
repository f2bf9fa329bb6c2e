"""Directives of ngx_http_autoindex_module."""

from functools import partial

from upwire.conf.directives.spec import ENUM, FLAG, HSL, DirectiveSpec

AUTOINDEX_FORMAT = ("html", "json", "jsonp", "xml")

D = partial(DirectiveSpec, module="ngx_http_autoindex_module")
ROWS: list[DirectiveSpec] = [
    D("autoindex", HSL, FLAG, "off", acted=True),
    D("autoindex_format", HSL, ENUM, "html", choices=AUTOINDEX_FORMAT, acted=True),
    D("autoindex_localtime", HSL, FLAG, "off", acted=True),
    D("autoindex_exact_size", HSL, FLAG, "on", acted=True),
]

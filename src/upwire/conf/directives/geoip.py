"""Directives of ngx_http_geoip_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_geoip_module")
ROWS: list[DirectiveSpec] = [
    D("geoip_country", H, arity="12"),
    D("geoip_org", H, arity="12"),
    D("geoip_city", H, arity="12"),
    D("geoip_proxy", H, repeats=True),
    D("geoip_proxy_recursive", H, FLAG, "off"),
]

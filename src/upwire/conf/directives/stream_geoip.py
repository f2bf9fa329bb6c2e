"""Directives of ngx_stream_geoip_module."""

from functools import partial

from upwire.conf.directives.spec import ST, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_geoip_module")
ROWS: list[DirectiveSpec] = [
    D("geoip_country", ST, arity="12"),
    D("geoip_org", ST, arity="12"),
    D("geoip_city", ST, arity="12"),
]

"""Directives of ngx_http_xslt_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, HSL, DirectiveSpec, L

D = partial(DirectiveSpec, module="ngx_http_xslt_filter_module")
ROWS: list[DirectiveSpec] = [
    D("xml_entities", HSL, inherits=ARRAY),
    D("xml_external_entities", HSL, FLAG, "off", since=(1, 31, 3)),
    D("xslt_stylesheet", L, arity="1+", repeats=True),
    D("xslt_param", HSL, arity="2", inherits=ARRAY),
    D("xslt_string_param", HSL, arity="2", inherits=ARRAY),
    D("xslt_types", HSL, default="text/xml", arity="1+", inherits=ARRAY),
    D("xslt_last_modified", HSL, FLAG, "off"),
]

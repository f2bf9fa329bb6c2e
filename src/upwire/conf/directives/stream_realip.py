"""Directives of ngx_stream_realip_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ST, STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_realip_module")
ROWS: list[DirectiveSpec] = [
    D("set_real_ip_from", ST | STS, inherits=ARRAY),
]

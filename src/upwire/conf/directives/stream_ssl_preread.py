"""Directives of ngx_stream_ssl_preread_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, ST, STS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_stream_ssl_preread_module")
ROWS: list[DirectiveSpec] = [
    D("ssl_preread", ST | STS, FLAG, "off"),
]

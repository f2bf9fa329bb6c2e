"""Directives of ngx_http_gzip_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, BUFFERS, FLAG, HSL, LIF, NUMBER, SIZE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_gzip_filter_module")
ROWS: list[DirectiveSpec] = [
    D("gzip", HSL | LIF, FLAG, "off", acted=True),
    D("gzip_buffers", HSL, BUFFERS, "32 4k", arity="2"),
    D("gzip_types", HSL, default="text/html", arity="1+", inherits=ARRAY, acted=True),
    D("gzip_comp_level", HSL, NUMBER, "1", limits=(1, 9), acted=True),
    D("gzip_window", HSL, SIZE),
    D("gzip_hash", HSL, SIZE),
    D("postpone_gzipping", HSL, SIZE, "0"),
    D("gzip_no_buffer", HSL, FLAG, "off"),
    D("gzip_min_length", HSL, SIZE, "20", acted=True),
]

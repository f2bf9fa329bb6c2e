"""Directives of ngx_http_mp4_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, HSL, SIZE, DirectiveSpec, L

D = partial(DirectiveSpec, module="ngx_http_mp4_module")
ROWS: list[DirectiveSpec] = [
    D("mp4", L, arity="0", repeats=True),
    D("mp4_buffer_size", HSL, SIZE, "512k"),
    D("mp4_max_buffer_size", HSL, SIZE, "10m"),
    D("mp4_start_key_frame", HSL, FLAG, "off", since=(1, 21, 4)),
]

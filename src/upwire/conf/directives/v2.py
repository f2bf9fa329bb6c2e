"""Directives of ngx_http_v2_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, HS, HSL, NUMBER, SIZE, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_v2_module")
ROWS: list[DirectiveSpec] = [
    D("http2", HS, FLAG, "off", since=(1, 25, 1)),
    D("http2_recv_buffer_size", H, SIZE, "256k"),
    D("http2_pool_size", HS, SIZE, "4k"),
    D("http2_max_concurrent_streams", HS, NUMBER, "128"),
    D("http2_max_concurrent_pushes", HS, repeats=True),
    D("http2_max_requests", HS, repeats=True),
    D("http2_max_field_size", HS, repeats=True),
    D("http2_max_header_size", HS, repeats=True),
    D("http2_body_preread_size", HS, SIZE, "64k"),
    D("http2_streams_index_size", HS, NUMBER),
    D("http2_recv_timeout", HS, repeats=True),
    D("http2_idle_timeout", HS, repeats=True),
    D("http2_chunk_size", HSL, SIZE, "8k"),
    D("http2_push_preload", HSL, repeats=True, since=(1, 13, 9)),
    D("http2_push", HSL, repeats=True, since=(1, 13, 9)),
]

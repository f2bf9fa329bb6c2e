"""Directives of ngx_http_v3_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, HS, NUMBER, SIZE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_v3_module")
ROWS: list[DirectiveSpec] = [
    D("http3", HS, FLAG, "on", since=(1, 25, 0)),
    D("http3_hq", HS, FLAG, "off", since=(1, 25, 0)),
    D("http3_max_concurrent_streams", HS, NUMBER, "128", since=(1, 25, 0)),
    D("http3_stream_buffer_size", HS, SIZE, "64k", since=(1, 25, 0)),
    D("quic_retry", HS, FLAG, "off", since=(1, 25, 0)),
    D("quic_gso", HS, FLAG, "off", since=(1, 25, 0)),
    D("quic_host_key", HS, since=(1, 25, 0)),
    D("quic_active_connection_id_limit", HS, NUMBER, "2", since=(1, 25, 0)),
]

"""Directives of ngx_stream_core_module."""

from functools import partial

from upwire.conf.directives.spec import (
    ARRAY,
    BLOCK,
    FLAG,
    NUMBER,
    SIZE,
    ST,
    STS,
    TIME,
    DirectiveSpec,
)

D = partial(DirectiveSpec, module="ngx_stream_core_module")
ROWS: list[DirectiveSpec] = [
    D("variables_hash_max_size", ST, NUMBER, "1024"),
    D("variables_hash_bucket_size", ST, NUMBER, "64"),
    D("server_names_hash_max_size", ST, NUMBER, "512"),
    D("server_names_hash_bucket_size", ST, NUMBER),
    D("server", ST, BLOCK, arity="0", repeats=True),
    D("listen", STS, arity="1+", repeats=True),
    D("server_name", STS, arity="1+", repeats=True),
    D("error_log", ST | STS, default="logs/error.log error", arity="1+", inherits=ARRAY),
    D("resolver", ST | STS, arity="1+"),
    D("resolver_timeout", ST | STS, TIME, "30s"),
    D("proxy_protocol_timeout", ST | STS, TIME, "30s"),
    D("tcp_nodelay", ST | STS, FLAG, "on"),
    D("preread_buffer_size", ST | STS, SIZE, "16k"),
    D("preread_timeout", ST | STS, TIME, "30s"),
]

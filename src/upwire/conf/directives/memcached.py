"""Directives of ngx_http_memcached_module."""

from functools import partial

from upwire.conf.directives.spec import (
    BITMASK,
    FLAG,
    HSL,
    LIF,
    NUMBER,
    SIZE,
    TIME,
    DirectiveSpec,
    L,
)

MEMCACHED_NEXT_UPSTREAM = ("error", "timeout", "invalid_response", "not_found", "off")

D = partial(DirectiveSpec, module="ngx_http_memcached_module")
ROWS: list[DirectiveSpec] = [
    D("memcached_pass", L | LIF),
    D("memcached_bind", HSL, arity="12"),
    D("memcached_socket_keepalive", HSL, FLAG, "off", since=(1, 15, 6)),
    D("memcached_connect_timeout", HSL, TIME, "60s"),
    D("memcached_send_timeout", HSL, TIME, "60s"),
    D("memcached_buffer_size", HSL, SIZE, "4k"),
    D("memcached_read_timeout", HSL, TIME, "60s"),
    D(
        "memcached_next_upstream",
        HSL,
        BITMASK,
        "error timeout",
        arity="1+",
        choices=MEMCACHED_NEXT_UPSTREAM,
        repeats=True,
    ),
    D("memcached_next_upstream_tries", HSL, NUMBER, "0"),
    D("memcached_next_upstream_timeout", HSL, TIME, "0"),
    D("memcached_gzip_flag", HSL, NUMBER, "0"),
]

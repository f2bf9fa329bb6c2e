"""Directives of ngx_http_tunnel_module."""

from functools import partial

from upwire.conf.directives.spec import (
    BITMASK,
    FLAG,
    HSL,
    LIF,
    NONE,
    NUMBER,
    SIZE,
    SL,
    TIME,
    DirectiveSpec,
)

D = partial(DirectiveSpec, module="ngx_http_tunnel_module")
ROWS: list[DirectiveSpec] = [
    D("tunnel_pass", SL | LIF, arity="01", inherits=NONE),
    D("tunnel_bind", HSL, arity="12"),
    D("tunnel_socket_keepalive", HSL, FLAG, "off"),
    D("tunnel_socket_rcvbuf", HSL, SIZE, "0", since=(1, 31, 3)),
    D("tunnel_socket_sndbuf", HSL, SIZE, "0", since=(1, 31, 3)),
    D("tunnel_connect_timeout", HSL, TIME, "60s"),
    D("tunnel_send_timeout", HSL, TIME, "60s"),
    D("tunnel_send_lowat", HSL, SIZE, "0"),
    D("tunnel_buffer_size", HSL, SIZE, "4k"),
    D("tunnel_read_timeout", HSL, TIME, "60s"),
    D(
        "tunnel_next_upstream",
        HSL,
        BITMASK,
        "error timeout",
        arity="1+",
        choices=("error", "timeout", "off"),
        repeats=True,
    ),
    D("tunnel_next_upstream_tries", HSL, NUMBER, "0"),
    D("tunnel_next_upstream_timeout", HSL, TIME, "0"),
]

"""Directives of ngx_http_upstream_keepalive_module."""

from functools import partial

from upwire.conf.directives.spec import NUMBER, TIME, UP, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_upstream_keepalive_module")
ROWS: list[DirectiveSpec] = [
    D("keepalive", UP, default="32 local", arity="12", formerly=(None, (1, 29, 7)), acted=True),
    D("keepalive_time", UP, TIME, "1h", since=(1, 19, 10), acted=True),
    D("keepalive_timeout", UP, TIME, "60s", since=(1, 15, 3), acted=True),
    D(
        "keepalive_requests",
        UP,
        NUMBER,
        "1000",
        formerly=("100", (1, 19, 10)),
        since=(1, 15, 3),
        acted=True,
    ),
]

"""Directives of ngx_epoll_module."""

from functools import partial

from upwire.conf.directives.spec import EV, NUMBER, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_epoll_module")
ROWS: list[DirectiveSpec] = [
    D("epoll_events", EV, NUMBER, "512"),
    D("worker_aio_requests", EV, NUMBER, "32"),
]

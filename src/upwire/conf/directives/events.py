"""Directives of ngx_events_module and ngx_event_core_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, EV, FLAG, TIME, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_events_module")
ROWS: list[DirectiveSpec] = [
    D("events", M, BLOCK, arity="0", acted=True),
]

D = partial(DirectiveSpec, module="ngx_event_core_module")
ROWS += [
    D("worker_connections", EV, default="512", acted=True),
    D("use", EV),
    D("multi_accept", EV, FLAG, "off"),
    D("accept_mutex", EV, FLAG, "off"),
    D("accept_mutex_delay", EV, TIME, "500ms"),
    D("debug_connection", EV, repeats=True),
]

"""Directives of ngx_mail_core_module."""

from functools import partial

from upwire.conf.directives.spec import (
    ARRAY,
    BLOCK,
    ML,
    MLS,
    NONE,
    NUMBER,
    STRING,
    TIME,
    DirectiveSpec,
)

D = partial(DirectiveSpec, module="ngx_mail_core_module")
ROWS: list[DirectiveSpec] = [
    D("server", ML, BLOCK, arity="0", repeats=True),
    D("listen", MLS, arity="1+", repeats=True),
    D("protocol", MLS, repeats=True),
    D("timeout", ML | MLS, TIME, "60s"),
    D("server_name", ML | MLS, STRING, inherits=NONE),
    D("error_log", ML | MLS, default="logs/error.log error", arity="1+", inherits=ARRAY),
    D("resolver", ML | MLS, arity="1+"),
    D("resolver_timeout", ML | MLS, TIME, "30s"),
    D("max_errors", ML | MLS, NUMBER, "5", since=(1, 21, 0)),
]

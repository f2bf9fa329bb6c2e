"""Directives of ngx_http_rewrite_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, FLAG, HSL, LIF, NONE, SIF, SL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_rewrite_module")
ROWS: list[DirectiveSpec] = [
    D("rewrite", SL | SIF | LIF, arity="23", inherits=NONE, repeats=True, acted=True),
    D("return", SL | SIF | LIF, arity="12", inherits=NONE, repeats=True, acted=True),
    D("break", SL | SIF | LIF, arity="0", inherits=NONE, repeats=True, acted=True),
    D(
        "if",
        SL,
        BLOCK,
        arity="1+",
        inherits=NONE,
        repeats=True,
        acted=True,
    ),
    D("set", SL | SIF | LIF, arity="2", inherits=NONE, repeats=True, acted=True),
    D("rewrite_log", HSL | SIF | LIF, FLAG, "off", acted=True),
    D("uninitialized_variable_warn", HSL | SIF | LIF, FLAG, "on", acted=True),
]

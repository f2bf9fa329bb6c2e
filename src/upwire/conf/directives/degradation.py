"""Directives of ngx_http_degradation_module."""

from functools import partial

from upwire.conf.directives.spec import ENUM, HSL, DirectiveSpec, H

D = partial(DirectiveSpec, module="ngx_http_degradation_module")
ROWS: list[DirectiveSpec] = [
    D("degradation", H, repeats=True),
    D("degrade", HSL, ENUM, choices=("204", "444")),
]

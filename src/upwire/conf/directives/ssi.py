"""Directives of ngx_http_ssi_filter_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, FLAG, HSL, LIF, SIZE, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_ssi_filter_module")
ROWS: list[DirectiveSpec] = [
    D("ssi", HSL | LIF, FLAG, "off", acted=True),
    D("ssi_silent_errors", HSL, FLAG, "off", acted=True),
    D("ssi_ignore_recycled_buffers", HSL, FLAG, "off"),
    D("ssi_min_file_chunk", HSL, SIZE, "1k"),
    D("ssi_value_length", HSL, SIZE, "255", acted=True),
    D("ssi_types", HSL, default="text/html", arity="1+", inherits=ARRAY, acted=True),
    D("ssi_last_modified", HSL, FLAG, "off", acted=True),
]

"""Directives of ngx_http_referer_module."""

from functools import partial

from upwire.conf.directives.spec import NONE, NUMBER, SL, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_http_referer_module")
ROWS: list[DirectiveSpec] = [
    D(
        "valid_referers",
        SL,
        arity="1+",
        inherits=NONE,
        repeats=True,
        unacted="referers are NOT checked",
    ),
    D("referer_hash_max_size", SL, NUMBER, "2048"),
    D("referer_hash_bucket_size", SL, NUMBER, "64"),
]

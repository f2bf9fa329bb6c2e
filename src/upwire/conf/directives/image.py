"""Directives of ngx_http_image_filter_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, HSL, SIZE, DirectiveSpec, L

D = partial(DirectiveSpec, module="ngx_http_image_filter_module")
ROWS: list[DirectiveSpec] = [
    D("image_filter", L, arity="123", repeats=True),
    D("image_filter_jpeg_quality", HSL, default="75", repeats=True),
    D("image_filter_webp_quality", HSL, default="80", repeats=True),
    D("image_filter_sharpen", HSL, default="0", repeats=True),
    D("image_filter_transparency", HSL, FLAG, "on"),
    D("image_filter_interlace", HSL, FLAG, "off"),
    D("image_filter_buffer", HSL, SIZE, "1m"),
]

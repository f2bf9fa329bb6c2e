"""Directives of ngx_http_userid_filter_module."""

from functools import partial

from upwire.conf.directives.spec import BITMASK, ENUM, HSL, NUMBER, STRING, DirectiveSpec

USERID_STATE = ("off", "log", "v1", "on")
USERID_FLAGS = ("off", "secure", "httponly", "samesite=strict", "samesite=lax", "samesite=none")

D = partial(DirectiveSpec, module="ngx_http_userid_filter_module")
ROWS: list[DirectiveSpec] = [
    D("userid", HSL, ENUM, "off", choices=USERID_STATE),
    D("userid_service", HSL, NUMBER),
    D("userid_name", HSL, STRING, "uid"),
    D("userid_domain", HSL, STRING),
    D("userid_path", HSL, STRING, "; path=/"),
    D("userid_expires", HSL, default="off"),
    D(
        "userid_flags",
        HSL,
        BITMASK,
        "off",
        arity="123",
        choices=USERID_FLAGS,
        repeats=True,
        since=(1, 19, 3),
    ),
    D("userid_p3p", HSL, STRING),
    D("userid_mark", HSL, default="off"),
]

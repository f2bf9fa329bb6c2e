"""Directives of ngx_mail_proxy_module."""

from functools import partial

from upwire.conf.directives.spec import ENUM, FLAG, ML, MLS, SIZE, TIME, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_mail_proxy_module")
ROWS: list[DirectiveSpec] = [
    D("proxy", ML | MLS, FLAG, "off"),
    D("proxy_buffer", ML | MLS, SIZE, "4k"),
    D("proxy_timeout", ML | MLS, TIME),
    D("proxy_pass_error_message", ML | MLS, FLAG, "off"),
    D("xclient", ML | MLS, FLAG, "on"),
    D("proxy_smtp_auth", ML | MLS, FLAG, "off", since=(1, 19, 4)),
    D("proxy_protocol", ML | MLS, ENUM, "off", choices=("off", "on", "v2")),
]

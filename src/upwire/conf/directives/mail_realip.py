"""Directives of ngx_mail_realip_module."""

from functools import partial

from upwire.conf.directives.spec import ARRAY, ML, MLS, DirectiveSpec

D = partial(DirectiveSpec, module="ngx_mail_realip_module")
ROWS: list[DirectiveSpec] = [
    D("set_real_ip_from", ML | MLS, inherits=ARRAY),
]

"""Directives of ngx_mail_module."""

from functools import partial

from upwire.conf.directives.spec import BLOCK, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_mail_module")
ROWS: list[DirectiveSpec] = [
    D("mail", M, BLOCK, arity="0"),
]

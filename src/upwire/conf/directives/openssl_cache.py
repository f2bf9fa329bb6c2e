"""Directives of ngx_openssl_cache_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_openssl_cache_module")
ROWS: list[DirectiveSpec] = [
    D("ssl_object_cache_inheritable", M, FLAG, "on", since=(1, 27, 4)),
]

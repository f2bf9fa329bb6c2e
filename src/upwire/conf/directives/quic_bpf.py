"""Directives of ngx_quic_bpf_module."""

from functools import partial

from upwire.conf.directives.spec import FLAG, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_quic_bpf_module")
ROWS: list[DirectiveSpec] = [
    D("quic_bpf", M, FLAG, "off", since=(1, 25, 0)),
]

"""`mirror` and `mirror_request_body`."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope
from upwire.conf.model.types.mirror import MirrorSettings


def read_mirror(scope: Scope, assembly: Assembly) -> MirrorSettings:
    """Return what holds at one level; "off" stands alone."""
    own = scope.own("mirror")
    if len(own) > 1:
        off = next((line for line in own if line.args == ("off",)), None)
        if off is not None:
            second = own[1] if off is own[0] else off
            assembly.fault('"mirror" directive is duplicate', second.position)
    uris = tuple(line.args[0] for line in scope.effective("mirror"))
    return MirrorSettings(
        uris=() if "off" in uris else uris,
        passes_body=scope.flag("mirror_request_body"),
    )

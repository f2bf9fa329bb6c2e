"""`autoindex` and what goes with it."""

from __future__ import annotations

from upwire.conf.model.assembly import Scope
from upwire.conf.model.types.autoindex import AutoindexSettings


def read_autoindex(scope: Scope) -> AutoindexSettings:
    """Return what holds at one level."""
    return AutoindexSettings(
        is_on=scope.flag("autoindex"),
        format=scope.text("autoindex_format").lower(),
        in_local_time=scope.flag("autoindex_localtime"),
        has_exact_sizes=scope.flag("autoindex_exact_size"),
    )

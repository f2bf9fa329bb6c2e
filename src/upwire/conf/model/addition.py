"""`add_before_body`, `add_after_body` and `addition_types`."""

from __future__ import annotations

from upwire.conf.model.assembly import Scope
from upwire.conf.model.ssi import read_media_types
from upwire.conf.model.types.addition import AdditionSettings


def read_addition(scope: Scope) -> AdditionSettings:
    """Return what holds at one level."""
    before, after = scope.one("add_before_body"), scope.one("add_after_body")
    return AdditionSettings(
        before=before.args[0] if before is not None else "",
        after=after.args[0] if after is not None else "",
        types=read_media_types(scope, "addition_types"),
    )

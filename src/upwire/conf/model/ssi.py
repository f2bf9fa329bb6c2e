"""`ssi` and its like."""

from __future__ import annotations

from upwire.conf.model.assembly import Scope
from upwire.conf.model.types.ssi import SsiSettings

_ALWAYS = "text/html"


def read_ssi(scope: Scope) -> SsiSettings:
    """Return what holds at one level."""
    return SsiSettings(
        is_on=scope.flag("ssi"),
        silent_errors=scope.flag("ssi_silent_errors"),
        value_length=scope.octets("ssi_value_length"),
        types=read_media_types(scope, "ssi_types"),
        last_modified=scope.flag("ssi_last_modified"),
    )


def read_media_types(scope: Scope, name: str) -> frozenset[str]:
    """Return the media types of a directive such as `ssi_types`; text/html is always one."""
    words = (word.lower() for line in scope.effective(name) for word in line.args)
    return frozenset({_ALWAYS, *words})

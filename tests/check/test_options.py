"""The command line of `upwire check`."""

from __future__ import annotations

from typing import Any

import pytest

from upwire.check.options import CheckOptions
from upwire.conf.audit import Severity


def test_what_is_told_from_warnings_on() -> None:
    assert CheckOptions().least is Severity.WARNING
    assert CheckOptions(level="note").least is Severity.NOTE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "bad"}, "--level takes note, warning, security, error"),
        ({"nginx": "7"}, "no version of nginx"),
        ({"fix": True, "path": "-"}, "--fix needs a file"),
        ({"json": True, "sarif": True}, "only one of"),
        ({"fix": True, "map": True}, "only one of"),
        ({"explain": ("GET", "ws://a/", "GET", "ws://b/")}, "--explain takes one"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    # Any: a value of each option's own type
    with pytest.raises(ValueError, match=message):
        CheckOptions(**options)


def test_what_goes_together() -> None:
    CheckOptions(fix=True, diff=True, nginx="1.22", path="x")
    CheckOptions(explain=("GET", "ws://a/"))

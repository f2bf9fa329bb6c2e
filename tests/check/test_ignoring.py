"""Comments that silence findings."""

from __future__ import annotations

import pytest

from upwire.check.ignoring import drop_ignored
from upwire.conf.audit import Finding, Severity
from upwire.conf.syntax import Position


def left(text: str, *found: tuple[str, int]) -> list[tuple[str, int, int]]:
    """Return fault, line and column of what is left of findings, given as fault and line."""
    findings = [
        Finding(fault, Severity.WARNING, Position("f", line, 1), 1, "m") for fault, line in found
    ]
    return [(one.fault, one.at.line, one.at.column) for one in drop_ignored(findings, {"f": text})]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a; # upwire: ignore F20 pings come every 20 s\n", 1),
        ("# upwire: ignore F20\na;\n", 2),
        ("  #upwire: ignore f20, F01\r\na;\r\n", 2),
        ("# upwire: ignore F01\n# upwire: ignore F20\na;\n", 3),
    ],
)
def test_a_finding_is_silenced(text: str, line: int) -> None:
    assert left(text, ("F20", line), ("F01", line))[-1:] != [("F20", line, 1)]
    assert ("F20", line, 1) not in left(text, ("F20", line))


def test_another_fault_or_line_is_not() -> None:
    text = "a; # upwire: ignore F20 why\nb;\n"
    assert left(text, ("F20", 1), ("F01", 1), ("F20", 2)) == [("F01", 1, 1), ("F20", 2, 1)]


def test_what_silences_nothing_is_told() -> None:
    text = "a;\nb; # upwire: ignore F20, F01\n# upwire: ignore F02\n"
    assert left(text) == [("", 2, 4), ("", 3, 1)]


def test_a_text_without_such_comments_is_not_searched() -> None:
    assert left("a;\n", ("F20", 1)) == [("F20", 1, 1)]

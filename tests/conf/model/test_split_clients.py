"""The lines of a split_clients."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http


def test_shares_of_the_hash() -> None:
    found = http("split_clients $uri $x { 0.5% a; 49.5% b; * c; }").splits["x"]
    assert found.parts == ((21474836, "a"), (2147483647, "b"), (None, "c"))
    assert [found.find(number) for number in (0, 21474836, 2**32 - 1)] == ["a", "b", "c"]


def test_shares_that_leave_a_rest() -> None:
    found = http("split_clients $uri $x { 10% a; }").splits["x"]
    assert [found.find(number) for number in (0, 2**32 - 1)] == ["a", None]


def test_shares_that_are_everything() -> None:
    found = http("split_clients $uri $x { 10% a; 90% b; }").splits["x"]
    assert found.find(2**32 - 1) == "b"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("10 a;", 'invalid percent value "10"'),
        ("0% a;", 'invalid percent value "0%"'),
        ("1.234% a;", 'invalid percent value "1.234%"'),
        (".% a;", 'invalid percent value ".%"'),
        ("60% a; 60% b;", "percent total is greater than 100%"),
    ],
)
def test_faults(lines: str, message: str) -> None:
    assert faults(f"split_clients $uri $x {{ {lines} }}") == [message]

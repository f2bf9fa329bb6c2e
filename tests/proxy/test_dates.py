"""HTTP dates."""

from __future__ import annotations

import pytest

from upwire.proxy.dates import http_date, parse_date

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("value", ["", "x", "Sun, 06 Nov 99999 08:49:37 GMT", THEN])
def test_reading(value: str) -> None:
    assert (parse_date(value) == 784111777) == (value == THEN)


def test_writing() -> None:
    assert http_date(784111777.9) == THEN

"""Ranges, as values."""

from __future__ import annotations

import pytest

from upwire.proxy.modules.range import UNSATISFIABLE, ByteRange, select_range
from upwire.wire.fields import Headers

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("BYTES=2-", ByteRange(2, 10)),
        ("bytes= 2 - 3 ", ByteRange(2, 4)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-30", ByteRange(0, 10)),
        ("bytes=5-99", ByteRange(5, 10)),
        ("bytes=10-", UNSATISFIABLE),
        ("bytes=5-4", UNSATISFIABLE),
        ("bytes=x", UNSATISFIABLE),
        ("bytes=-", UNSATISFIABLE),
        ("bytes=0-1,2-3", None),
        ("lines=0-1", None),
        (None, None),
    ],
)
def test_ranges(value: str | None, expected: ByteRange | None) -> None:
    headers = Headers({"Range": value} if value is not None else {})
    assert select_range(headers, 10, THEN, '"t"') == expected


def test_an_empty_file_is_sent_whole() -> None:
    assert select_range(Headers({"Range": "bytes=0-"}), 0, THEN, "") is None
    assert not UNSATISFIABLE.is_satisfiable


@pytest.mark.parametrize(
    ("condition", "holds"),
    [('"t"', True), ('"x"', False), (THEN, True), ("Mon, 28 Sep 1970 06:00:00 GMT", False)],
)
def test_a_range_holds_for_one_state(condition: str, holds: bool) -> None:
    headers = Headers({"Range": "bytes=0-0", "If-Range": condition})
    assert (select_range(headers, 10, THEN, '"t"') is not None) is holds

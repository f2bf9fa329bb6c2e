"""Conditional requests, as values."""

from __future__ import annotations

import pytest

from upwire.proxy.modules.not_modified import check_conditions, has_etag, parse_date
from upwire.wire.fields import Headers

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
TAG = '"abc"'


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, None),
        ({"If-Modified-Since": THEN}, 304),
        ({"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
        ({"If-Modified-Since": LATER}, None),
        ({"If-Modified-Since": "nonsense"}, None),
        ({"If-None-Match": TAG}, 304),
        ({"If-None-Match": f'"x", W/{TAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, None),
        ({"If-None-Match": TAG, "If-Modified-Since": THEN}, 304),
        ({"If-None-Match": '"x"', "If-Modified-Since": THEN}, None),
        ({"If-None-Match": TAG, "If-Modified-Since": LATER}, None),
        ({"If-Match": TAG}, None),
        ({"If-Match": "*"}, None),
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": f"W/{TAG}"}, 412),
        ({"If-Unmodified-Since": THEN}, None),
        ({"If-Unmodified-Since": LATER}, None),
        ({"If-Unmodified-Since": "Mon, 28 Sep 1970 06:00:00 GMT"}, 412),
        ({"If-Unmodified-Since": "nonsense"}, 412),
    ],
)
def test_conditions(fields: dict[str, str], status: int | None) -> None:
    assert check_conditions(Headers(fields), THEN, TAG) == status


def test_a_file_without_a_tag() -> None:
    assert not has_etag(TAG, "", is_weak=True)


@pytest.mark.parametrize("value", ["", "x", "Sun, 99 Nov 1994 08:49:37 GMT", THEN])
def test_dates(value: str) -> None:
    assert (parse_date(value) == 784111777) == (value == THEN)

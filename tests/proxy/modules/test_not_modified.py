"""Conditional requests, as values and over files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, get
from upwire.proxy.modules.not_modified import check_conditions, has_etag
from upwire.wire.fields import Headers

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
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
        ({"If-Unmodified-Since": EARLIER}, 412),
        ({"If-Unmodified-Since": "nonsense"}, 412),
    ],
)
def test_conditions(fields: dict[str, str], status: int | None) -> None:
    assert check_conditions(Headers(fields), THEN, TAG) == status


@pytest.mark.parametrize(
    ("comparison", "since", "status"),
    [
        ("off", THEN, None),
        ("before", LATER, 304),
        ("before", THEN, 304),
        ("before", EARLIER, None),
        ("before", "nonsense", None),
    ],
)
def test_comparisons(comparison: str, since: str, status: int | None) -> None:
    assert check_conditions(Headers({"If-Modified-Since": since}), THEN, "", comparison) == status


def test_a_content_without_a_date() -> None:
    assert check_conditions(Headers({"If-Modified-Since": THEN}), None, TAG) is None
    assert check_conditions(Headers({"If-Unmodified-Since": THEN}), None, TAG) == 412


def test_a_content_without_a_tag() -> None:
    assert not has_etag(TAG, "", is_weak=True)
    assert has_etag("*", "", is_weak=True)


def test_files(tmp_path: Path) -> None:
    page = tmp_path / "html" / "page.html"
    page.parent.mkdir()
    page.write_text("page")
    os.utime(page, (784111777, 784111777))
    directives = "error_page 412 /page.html; location /page { if_modified_since before; }"

    async def run() -> None:
        with cycle_of(LISTENING.format(directives=directives), tmp_path) as cycle:
            got = await get(cycle, "/page.html", f"If-Modified-Since: {LATER}")
            assert (got.status, got.content) == (304, b"")
            assert "content-type" not in got.fields
            assert got.fields["last-modified"] == THEN
            got = await get(cycle, "/page.html", 'If-Match: "x"')
            assert (got.status, got.content) == (412, b"page")

    asyncio.run(run())

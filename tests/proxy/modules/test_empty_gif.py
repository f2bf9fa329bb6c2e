"""The one transparent pixel."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, get, make_request
from upwire.proxy.modules import empty_gif

LAST_MODIFIED = "Mon, 28 Sep 1970 06:00:00 GMT"
PIXEL = (
    b"GIF89a\x01\0\x01\0\x80\x01\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\x01\0"
    b",\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;"
)


@pytest.mark.parametrize(
    ("method", "field", "status", "content"),
    [
        ("GET", "X: y", 200, PIXEL),
        ("GET", "Range: bytes=0-1", 200, PIXEL),
        ("GET", f"If-Modified-Since: {LAST_MODIFIED}", 304, b""),
        ("HEAD", "X: y", 200, b""),
        ("POST", "Content-Length: 0", 405, None),
    ],
)
def test_the_pixel(
    method: str, field: str, status: int, content: bytes | None, tmp_path: Path
) -> None:
    with cycle_of(LISTENING.format(directives="location / { empty_gif; }"), tmp_path) as cycle:
        answer = asyncio.run(get(cycle, "/", field, method=method))
    assert answer.status == status
    assert content is None or answer.content == content
    if status == 200:
        assert answer.fields["content-type"] == "image/gif"
        assert answer.fields["last-modified"] == LAST_MODIFIED
        assert answer.fields["content-length"] == str(len(PIXEL))


def test_other_locations(tmp_path: Path) -> None:
    with cycle_of(LISTENING.format(directives=""), tmp_path) as cycle:
        assert asyncio.run(empty_gif.answer(make_request(cycle))) is None

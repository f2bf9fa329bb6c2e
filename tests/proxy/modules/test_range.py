"""Ranges: which are served, and how their parts are cut out of a content."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, get
from upwire.proxy.modules.range import ByteRange, Unsatisfiable, select_ranges
from upwire.proxy.output import OutputHead
from upwire.wire.fields import Headers

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
MONDAY = "Mon, 28 Sep 1970 06:00:00 GMT"


def select(
    fields: dict[str, str],
    *,
    octets: int = 10,
    most: int | None = None,
    validators: tuple[tuple[str, str], ...] = (("Last-Modified", THEN), ("ETag", '"t"')),
) -> list[tuple[int, int]]:
    head = OutputHead(200, list(validators), octets)
    return [(part.start, part.end) for part in select_ranges(Headers(fields), head, most)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("BYTES=2-", [(2, 10)]),
        ("bytes= 2 - 3 ", [(2, 4)]),
        ("bytes=-3", [(7, 10)]),
        ("bytes=-30", [(0, 10)]),
        ("bytes=5-99", [(5, 10)]),
        ("bytes=0-1,2-3", [(0, 2), (2, 4)]),
        ("bytes=8-,0-1", [(8, 10), (0, 2)]),
        ("bytes=0-1,99-", [(0, 2)]),
        ("bytes=0-9,0-0", []),
        ("lines=0-1", []),
        ("bytes=", []),
        ("bytes=-0", [(10, 10)]),
    ],
)
def test_ranges(value: str, expected: list[tuple[int, int]]) -> None:
    if expected == [(10, 10)]:
        with pytest.raises(Unsatisfiable):
            select({"Range": value})
    else:
        assert select({"Range": value}) == expected


def test_no_range() -> None:
    assert select({}) == []


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=5-4", "bytes=x", "bytes=-", "bytes=0-1,x"])
def test_what_cannot_be_satisfied(value: str) -> None:
    with pytest.raises(Unsatisfiable):
        select({"Range": value})


def test_an_empty_content_is_sent_whole() -> None:
    assert select({"Range": "bytes=0-"}, octets=0) == []


@pytest.mark.parametrize(("most", "count"), [(1, 0), (2, 2), (None, 2)])
def test_no_more_ranges_than_allowed(most: int | None, count: int) -> None:
    assert len(select({"Range": "bytes=0-1,2-3"}, most=most)) == count


def test_parts_that_take_more_than_the_whole() -> None:
    many = "bytes=" + ",".join(f"{start}-{start}" for start in range(10))
    assert select({"Range": many * 1}, octets=10) != []
    many = "bytes=" + ",".join("0-0" for _ in range(20))
    assert select({"Range": many}, octets=20) == []
    assert len(select({"Range": many}, octets=20, most=20)) == 20


def test_what_comes_before_its_turn_is_bounded() -> None:
    half = 1024 * 1024
    ranges = {"Range": f"bytes={half}-{2 * half - 2},0-{half - 1}"}
    assert len(select(ranges, octets=2 * half)) == 2
    assert select({"Range": f"bytes={half + 1}-{2 * half},0-{half}"}, octets=3 * half) == []
    assert len(select({"Range": f"bytes=0-{half},{half + 1}-{2 * half}"}, octets=3 * half)) == 2


@pytest.mark.parametrize(
    ("condition", "holds"),
    [('"t"', True), ('"x"', False), (THEN, True), (MONDAY, False), ('"', False)],
)
def test_a_range_holds_for_one_state(condition: str, holds: bool) -> None:
    fields = {"Range": "bytes=0-0", "If-Range": condition}
    assert bool(select(fields)) is holds
    assert select(fields, validators=()) == []


def test_equal_ranges() -> None:
    assert ByteRange(1, 2) == ByteRange(1, 2)


# Over a file that is sent in several pieces

CONTENT = bytes(range(256)) * 1024


def fetch(folder: Path, *fields: str, directives: str = "") -> tuple[int, dict[str, str], bytes]:
    (folder / "html").mkdir(exist_ok=True)
    (folder / "html" / "file.bin").write_bytes(CONTENT)

    async def run() -> tuple[int, dict[str, str], bytes]:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            got = await get(cycle, "/file.bin", *fields)
            return got.status, got.fields, got.content

    return asyncio.run(run())


@pytest.mark.parametrize(("start", "end"), [(0, 1), (70_000, 200_000), (262_143, 262_144)])
def test_one_part(tmp_path: Path, start: int, end: int) -> None:
    status, fields, content = fetch(tmp_path, f"Range: bytes={start}-{end - 1}")
    assert (status, content) == (206, CONTENT[start:end])
    assert fields["content-range"] == f"bytes {start}-{end - 1}/262144"
    assert "accept-ranges" not in fields


@pytest.mark.parametrize(
    "parts", [[(0, 2), (5, 9)], [(100_000, 200_000), (0, 70_000), (60_000, 60_001)]]
)
def test_several_parts(tmp_path: Path, parts: list[tuple[int, int]]) -> None:
    asked = ",".join(f"{start}-{end - 1}" for start, end in parts)
    status, fields, content = fetch(tmp_path, f"Range: bytes={asked}")
    media_type, _, boundary = fields["content-type"].partition("; boundary=")
    assert (status, media_type) == (206, "multipart/byteranges")
    expected = b""
    for start, end in parts:
        head = f"\r\n--{boundary}\r\nContent-Type: text/plain\r\n"
        head += f"Content-Range: bytes {start}-{end - 1}/262144\r\n\r\n"
        expected += head.encode() + CONTENT[start:end]
    assert content == expected + f"\r\n--{boundary}--\r\n".encode()
    assert fields["content-length"] == str(len(content))


def test_none_that_can_be_satisfied(tmp_path: Path) -> None:
    status, fields, _ = fetch(tmp_path, "Range: bytes=262144-")
    assert (status, fields["content-range"]) == (416, "bytes */262144")
    assert not {"etag", "last-modified", "accept-ranges"} & fields.keys()
    assert fields["content-type"] == "text/html"


def test_what_was_added_stays_where_none_can_be_satisfied(tmp_path: Path) -> None:
    status, fields, _ = fetch(
        tmp_path, "Range: bytes=262144-", directives="add_header X-Added yes; expires epoch;"
    )
    assert (status, fields["x-added"], fields["cache-control"]) == (416, "yes", "no-cache")


def test_ranges_not_allowed(tmp_path: Path) -> None:
    status, fields, content = fetch(tmp_path, "Range: bytes=0-0", directives="max_ranges 0;")
    assert (status, content == CONTENT) == (200, True)
    assert "accept-ranges" not in fields


def test_no_range_asked_for(tmp_path: Path) -> None:
    status, fields, content = fetch(tmp_path)
    assert (status, content == CONTENT, fields["accept-ranges"]) == (200, True, "bytes")

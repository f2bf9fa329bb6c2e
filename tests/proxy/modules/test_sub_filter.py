"""sub_filter: texts in place of others, however the content is cut into pieces."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.proxy_site import LISTENING, cycle_of, get, make_request
from upwire.proxy.modules import sub_filter
from upwire.proxy.output import Memory, OutputHead


def replace(folder: Path, conf: str, pieces: list[bytes]) -> bytes:
    """Return what becomes of a content that comes in pieces."""

    async def run() -> bytes:
        with cycle_of(LISTENING.format(directives=conf), folder) as cycle:
            head = OutputHead(200, [("Content-Type", "text/html")])
            joined = sub_filter.join(make_request(cycle, "/?a=x"), head)
            assert joined is not None
            joined.next = memory = Memory(1 << 20)
            for piece in pieces:
                await joined.send(piece)
            await joined.finish()
            return bytes(memory.content)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("conf", "content", "expected"),
    [
        ("sub_filter foo bar;", "a foo FOO", "a bar FOO"),
        ("sub_filter FoO bar; sub_filter_once off;", "a foo FOO fo", "a bar bar fo"),
        ("sub_filter foo $arg_a;", "foo", "x"),
        ("sub_filter x$arg_a y;", "xxx", "yx"),
        ("sub_filter foo ''; sub_filter_once off;", "foofoo", ""),
        ("sub_filter ab 1; sub_filter abc 2; sub_filter_once off;", "abcab", "1c1"),
        ("sub_filter abc 2; sub_filter ab 1; sub_filter_once off;", "abcab", "21"),
        ("sub_filter a 1; sub_filter b 2;", "abab", "12ab"),
        ("sub_filter aab x; sub_filter_once off;", "aaab", "ax"),
        ("sub_filter a.b x;", "a.b acb", "x acb"),
    ],
)
def test_texts(conf: str, content: str, expected: str, tmp_path: Path) -> None:
    octets = content.encode()
    assert replace(tmp_path, conf, [octets]) == expected.encode()
    assert replace(tmp_path, conf, [octets[at : at + 1] for at in range(len(octets))]) == (
        expected.encode()
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(pieces=st.lists(st.text("abc", max_size=6).map(str.encode)))
def test_pieces_change_nothing(pieces: list[bytes], tmp_path: Path) -> None:
    conf = "sub_filter abc 1; sub_filter ab 2; sub_filter bca 3; sub_filter_once off;"
    assert replace(tmp_path, conf, pieces) == replace(tmp_path, conf, [b"".join(pieces)])


def test_only_types_that_are_listed_and_what_it_does_to_the_head(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "html").mkdir()
        (tmp_path / "html" / "a.html").write_text("foo")
        (tmp_path / "html" / "a.txt").write_text("foo")
        conf = "sub_filter foo bars; location /kept { sub_filter_last_modified on; alias html; }"
        with cycle_of(LISTENING.format(directives=conf), tmp_path) as cycle:
            changed = await get(cycle, "/a.html")
            assert changed.content == b"bars"
            assert not {"etag", "last-modified", "accept-ranges"} & set(changed.fields)
            assert (await get(cycle, "/a.txt")).content == b"foo"
            kept = await get(cycle, "/kept/a.html")
            assert kept.fields["etag"].startswith("W/")
            assert "last-modified" in kept.fields

    asyncio.run(run())

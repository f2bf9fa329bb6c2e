"""What filters change in a head, and where contents go."""

from __future__ import annotations

import asyncio

import pytest

from upwire.proxy.output import NOWHERE, Filter, Memory, OutputHead, Refused, Sink


def test_a_stated_length_is_taken_out() -> None:
    head = OutputHead(200, [("Content-Length", "7"), ("X", "y")])
    assert (head.length, list(head.fields.items())) == (7, [("X", "y")])
    assert OutputHead(200, [("content-length", "7")], 3).length == 3
    odd = OutputHead(200, [("Content-Length", "x")])
    assert (odd.length, odd.fields.get("Content-Length")) == (None, "x")


@pytest.mark.parametrize(("status", "has_content"), [(200, True), (204, False), (304, False)])
def test_statuses_without_content(status: int, has_content: bool) -> None:
    assert OutputHead(status, []).has_content is has_content


@pytest.mark.parametrize(
    ("value", "expected"), [("Text/HTML; charset=x", "text/html"), (None, ""), ("a/b", "a/b")]
)
def test_media_types(value: str | None, expected: str) -> None:
    assert OutputHead(200, [("Content-Type", value)] if value else []).media_type == expected


def test_a_content_that_is_changed() -> None:
    fields = [("Accept-Ranges", "bytes"), ("ETag", '"t"'), ("Last-Modified", "x")]
    head = OutputHead(200, fields, 7, allows_ranges=True)
    head.weaken_etag()
    head.weaken_etag()
    assert head.fields.get("ETag") == 'W/"t"'
    head.forget_length()
    assert (head.length, head.allows_ranges, "Accept-Ranges" in head.fields) == (None, False, False)
    head.forget_validators()
    head.weaken_etag()
    assert list(head.fields) == []


def test_a_filter_passes_on() -> None:
    async def run() -> None:
        memory = Memory(3)
        one = Filter()
        await one.send(b"dropped")
        one.next = memory
        for octets in (b"ab", b"cd"):
            assert not memory.is_full
            await one.send(octets)
        await one.flush()
        await one.finish()
        assert (bytes(memory.content), memory.is_full) == (b"abc", True)
        await NOWHERE.send(b"x")
        with pytest.raises(NotImplementedError):
            await Sink().send(b"")

    asyncio.run(run())


def test_a_refusal_says_with_what() -> None:
    assert Refused(412).status == 412

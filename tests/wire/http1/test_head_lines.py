"""The lines of a head: what the compiled pass reads, and what it leaves to the expressions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from upwire.errors import RemoteProtocolError
from upwire.wire.http1._head_lines import HeadLines, parse_field_line
from upwire.wire.http1.limits import HeadLimits

STRICT = HeadLimits()
LOOSE = HeadLimits(accepts_loose_lines=True)
NGINX = HeadLimits(accepts_loose_lines=True, drops_other_names=True, drops_underscores=True)
LINE = st.binary(max_size=12) | st.text("aZ-_0:.! \t\r\0é", max_size=12).map(
    lambda text: text.encode("latin-1")
)


def read_whole(octets: bytes, limits: HeadLimits) -> list[tuple[str, str]] | None:
    headers = HeadLines(limits).next_fields(octets)
    return None if headers is None else list(headers.items())


def read_in_steps(octets: bytes, limits: HeadLimits) -> list[tuple[str, str]] | None:
    lines = HeadLines(limits)
    for end in range(len(octets) + 1):
        headers = lines.next_fields(octets[:end])
        if headers is not None:
            assert end == lines.line_start
            return list(headers.items())
    return None


@pytest.mark.parametrize("read", [read_whole, read_in_steps])
@pytest.mark.parametrize(
    ("octets", "fields"),
    [
        (b"\r\n", []),
        (b"A:b\r\n\r\n", [("A", "b")]),
        (b"a-B9: \t b\xe9 c\t \r\nD:\r\n\r\n", [("a-B9", "b\xe9 c"), ("D", "")]),
        (b"x_y!:z\r\n\r\n", [("x_y!", "z")]),
        (b"A: b\r\n", None),
        (b"A: b", None),
    ],
)
def test_fields(read: object, octets: bytes, fields: list[tuple[str, str]] | None) -> None:
    assert callable(read)
    assert read(octets, STRICT) == fields
    if fields is not None:
        assert read(octets + b"trailing\r\n\r\n", STRICT) == fields


def test_a_line_and_then_fields() -> None:
    lines = HeadLines(STRICT)
    assert lines.next_line(b"GET /", 414) is None
    octets = b"GET / HTTP/1.1\r\nA: b\r\n\r\n"
    assert lines.next_line(octets, 414) == "GET / HTTP/1.1"
    assert lines.line_start == 16
    headers = lines.next_fields(octets)
    assert headers is not None
    assert list(headers.items()) == [("A", "b")]
    assert lines.line_start == len(octets)


@pytest.mark.parametrize("read", [read_whole, read_in_steps])
@pytest.mark.parametrize(
    ("octets", "limits", "message"),
    [
        (b"A: b\n\r\n", STRICT, "ends in LF without CR"),
        (b"\n", STRICT, "ends in LF without CR"),
        (b"A: bc\r\n\r\n", HeadLimits(line_octets=6), "a line of the head is longer than 6"),
        (b"A: b\r\nC: d\r\n\r\n", HeadLimits(head_octets=9), "the head is longer than 9"),
        (b"A:\r\nB:\r\n\r\n", HeadLimits(field_count=1), "more than 1 fields"),
        (b" A: b\r\n\r\n", STRICT, "is folded"),
        (b"A\r\n\r\n", STRICT, "has no colon"),
        (b"A : b\r\n\r\n", STRICT, "a space follows"),
        (b": b\r\n\r\n", STRICT, "is not a token"),
        (b"A: \0\r\n\r\n", STRICT, "a NUL or a bare CR"),
        (b"A: \rb\r\n\r\n", STRICT, "a NUL or a bare CR"),
    ],
)
def test_what_is_refused(read: object, octets: bytes, limits: HeadLimits, message: str) -> None:
    assert callable(read)
    with pytest.raises(RemoteProtocolError, match=message):
        read(octets, limits)


def test_loose_lines_and_names_that_are_dropped() -> None:
    octets = b"A: 1\nB_C: 2\r\nD.E: 3\n\n"
    assert read_whole(octets, NGINX) == [("A", "1")]
    assert read_whole(octets, LOOSE) == [("A", "1"), ("B_C", "2"), ("D.E", "3")]


def verdict(read: Callable[[], object]) -> object:
    """What was read, or why it was refused."""
    try:
        return read()
    except RemoteProtocolError as error:
        return str(error)


@pytest.mark.parametrize("limits", [STRICT, NGINX])
@given(line=LINE)
@example(line=b"A:\tb ")
@example(line=b"A: \r.")
@example(line=b"\xc1:")
def test_a_line_is_read_as_the_expressions_read_it(line: bytes, limits: HeadLimits) -> None:
    line = line.replace(b"\n", b"") + b"."  # neither empty nor with a CR at its end

    def by_expressions() -> list[tuple[str, str]]:
        field = parse_field_line(line.decode("latin-1"), limits)
        return [] if field is None else [field]

    assert verdict(lambda: read_whole(line + b"\r\n\r\n", limits)) == verdict(by_expressions)

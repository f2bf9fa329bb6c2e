"""The counter of a tunnel's frames: exact however the octets are split.

The same tests run on the compiled module and on the uncompiled one.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.frames import KEY, Frame, read_frames
from upwire.wire._codec import FrameParser, build_frame
from upwire.wire._frame_counter import FrameCounter
from upwire.wire.frames import Opcode

frames_on_the_wire = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from([0, 1, 2]),
            st.booleans(),
            st.booleans(),
            st.sampled_from([0, 1, 5, 125, 126, 300, 65535, 65536]).map(bytes),
        ),
        st.tuples(
            st.sampled_from([8, 9, 10]),
            st.just(True),
            st.just(False),
            st.binary(max_size=125),
        ),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(frames_on_the_wire, st.booleans(), st.lists(st.integers(0, 70000), max_size=6))
def test_the_counter_agrees_with_the_parser(
    frames: list[Frame], is_masked: bool, cuts: list[int]
) -> None:
    frames = [(o, f, r and o != 0, p) for o, f, r, p in frames]
    key = KEY if is_masked else None
    octets = b"".join(build_frame(o, p, is_final=f, rsv1=r, mask_key=key) for o, f, r, p in frames)
    parser = FrameParser(is_masked=is_masked, allows_rsv1=True)
    assert read_frames(parser, octets, max(1, len(octets))) == frames
    counter = FrameCounter()
    edges = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    for start, end in pairwise(edges):
        counter.feed(octets[start:end])
    assert counter.octets == len(octets)
    assert counter.frames == len(frames)
    assert counter.messages == sum(f for o, f, _, _ in frames if o < 8)
    assert counter.control_frames == sum(o >= 8 for o, _, _, _ in frames)
    assert counter.by_opcode == {n: sum(o == n for o, _, _, _ in frames) for n in Opcode}
    closes = [p for o, _, _, p in frames if o == 8]
    code = int.from_bytes(closes[0][:2], "big") if closes and len(closes[0]) > 1 else 1005
    assert counter.close_code == (code if closes else None)
    assert not counter.is_malformed
    assert not counter.is_inside_frame


@pytest.mark.parametrize("key", [None, KEY])
def test_the_counter_is_exact_at_every_octet(key: bytes | None) -> None:
    sizes = [(1, 3), (9, 0), (2, 200), (1, 0), (8, 5), (8, 2), (10, 2)]
    frames = [
        build_frame(opcode, b"\x0f\xa0why"[:size].ljust(size), mask_key=key)
        for opcode, size in sizes
    ]
    ends = [len(b"".join(frames[: n + 1])) for n in range(len(frames))]
    counter = FrameCounter()
    passed = b""
    for at, octet in enumerate(b"".join(frames), start=1):
        passed += counter.feed(bytes([octet]))
        assert counter.frames == sum(end <= at for end in ends)
        assert counter.is_inside_frame == (at not in ends)
        assert counter.octets == len(passed)
        assert len(passed) in range(at - 15, at + 1)
    assert passed == b"".join(frames)
    assert counter.close_code == 4000
    assert (counter.messages, counter.control_frames) == (3, 4)


def test_the_counter_says_1005_for_a_close_without_a_code() -> None:
    counter = FrameCounter()
    assert counter.close_code is None
    counter.feed(b"\x88\x00\x88\x02\x03\xe8")
    assert counter.close_code == 1005
    assert counter.by_opcode[Opcode(8)] == 2


@pytest.mark.parametrize("step", [1, 100])
@pytest.mark.parametrize("octets", [b"\x83\x00", b"\x89\x7e", b"\x81\x7e\x00\x01", b"GET / HTTP"])
def test_the_counter_stops_counting_frames_at_what_is_none(octets: bytes, step: int) -> None:
    stream = b"\x81\x01x" + octets + b"\x81\x01x"
    counter = FrameCounter()
    for at in range(0, len(stream), step):
        counter.feed(stream[at : at + step])
    assert counter.is_malformed
    assert counter.frames == 1
    assert counter.octets == len(stream)


@pytest.mark.parametrize("step", [1, 3, 100])
def test_the_counter_holds_a_header_that_is_incomplete(step: int) -> None:
    head = build_frame(2, bytes(70000), mask_key=KEY)[:13]
    counter = FrameCounter()
    for at in range(0, len(head), step):
        assert counter.feed(head[at : at + step]) == b""
    assert counter.is_inside_frame
    assert (counter.octets, counter.remaining) == (0, 0)
    assert counter.take_held() == head
    assert counter.octets == 13
    assert counter.take_held() == b""


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_counter_stops_in_front_of_a_message_that_is_too_long(step: int) -> None:
    fits = [
        build_frame(1, bytes(100)),
        build_frame(2, bytes(60), is_final=False),
        build_frame(9, bytes(125)),
        build_frame(0, bytes(40)),
        build_frame(1, bytes(99), is_final=False),
    ]
    stream = b"".join([*fits, build_frame(0, bytes(2)), build_frame(8, b"")])
    counter = FrameCounter(limit_octets=100)
    passed = b""
    for at in range(0, len(stream), step):
        passed += counter.feed(stream[at : at + step])
    assert passed == b"".join(fits)
    assert (counter.frames, counter.messages, counter.octets) == (5, 2, len(passed))
    assert counter.is_over_limit
    assert not counter.is_inside_frame
    assert counter.close_code is None


def test_the_counter_stops_at_the_longest_length_there_is() -> None:
    head = b"\x02\x7f" + b"\x7f" + b"\xff" * 7
    counter = FrameCounter(limit_octets=2**63)
    assert counter.feed(head) == head
    assert counter.remaining == 2**63 - 1
    limited = FrameCounter(limit_octets=2**63 - 2)
    assert limited.feed(head) == b""
    assert limited.is_over_limit


def test_the_counter_can_stop_at_the_end_of_a_frame() -> None:
    counter = FrameCounter()
    assert counter.finish_frame(5) == 0
    counter.feed(b"\x81\x05ab")
    assert counter.finish_frame(2) == 2
    assert (counter.remaining, counter.frames, counter.octets) == (1, 0, 6)
    assert counter.finish_frame(9) == 1
    assert (counter.remaining, counter.frames, counter.octets) == (0, 1, 7)


def test_the_counter_leaves_extensions_alone() -> None:
    counter = FrameCounter()
    counter.feed(b"\xf1\x01x\x70\x00")
    assert (counter.frames, counter.messages, counter.is_malformed) == (2, 1, False)


def test_the_counter_may_count_octets_only() -> None:
    counter = FrameCounter(counts_frames=False)
    counter.feed(b"\x81\x01xGET /")
    assert (counter.octets, counter.frames, counter.is_malformed) == (8, 0, False)

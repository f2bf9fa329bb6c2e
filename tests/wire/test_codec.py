"""Masks, frame headers, and UTF-8 in pieces.

The same tests run on the compiled module and on the uncompiled one.
"""

from __future__ import annotations

import os
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.frames import KEY, Frame, read_frames
from upwire.errors import RemoteProtocolError
from upwire.wire import _codec, _cython
from upwire.wire._codec import (
    FrameParser,
    Utf8Validator,
    build_frame,
    decode_text,
    mask,
)

# RFC 6455 §5.7, and the edges between the three forms of a length.
EXAMPLES = [
    (b"\x81\x05Hello", False, (1, True, False, b"Hello")),
    (b"\x81\x857\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", True, (1, True, False, b"Hello")),
    (b"\x01\x03Hel", False, (1, False, False, b"Hel")),
    (b"\x80\x02lo", False, (0, True, False, b"lo")),
    (b"\x89\x05Hello", False, (9, True, False, b"Hello")),
    (b"\x8a\x857\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", True, (10, True, False, b"Hello")),
    (b"\x88\x00", False, (8, True, False, b"")),
    (b"\x82\x7e\x01\x00" + bytes(256), False, (2, True, False, bytes(256))),
    (
        b"\x82\x7f" + (65536).to_bytes(8, "big") + bytes(65536),
        False,
        (2, True, False, bytes(65536)),
    ),
    (b"\x82\x7d" + b"x" * 125, False, (2, True, False, b"x" * 125)),
    (b"\x82\x7e\x00\x7e" + b"x" * 126, False, (2, True, False, b"x" * 126)),
    (b"\x82\x7e\xff\xff" + b"x" * 65535, False, (2, True, False, b"x" * 65535)),
]


@pytest.mark.parametrize(("octets", "is_masked", "frame"), EXAMPLES)
def test_frames_are_read_and_built(octets: bytes, is_masked: bool, frame: Frame) -> None:
    opcode, is_final, _, payload = frame
    key = KEY if is_masked else None
    assert build_frame(opcode, payload, is_final=is_final, mask_key=key) == octets
    assert read_frames(FrameParser(is_masked=is_masked), octets, len(octets)) == [frame]
    if len(octets) < 1000:
        assert read_frames(FrameParser(is_masked=is_masked), octets, 1) == [frame]
    assert read_frames(FrameParser(is_masked=is_masked), octets + octets, len(octets) + 1) == [
        frame,
        frame,
    ]


def test_a_compressed_frame_needs_the_extension() -> None:
    octets = build_frame(2, b"x", rsv1=True)
    assert octets == b"\xc2\x01x"
    parser = FrameParser(is_masked=False, allows_rsv1=True)
    assert read_frames(parser, octets, 1) == [(2, True, True, b"x")]


# Each breaks its rule with its last octet: one octet fewer is an incomplete header.
FAULTS = [
    (b"\xc1", False, False, "reserved bit"),
    (b"\xa1", False, True, "reserved bit"),
    (b"\x91", False, True, "reserved bit"),
    (b"\x83", False, False, "reserved opcode"),
    (b"\x87", False, False, "reserved opcode"),
    (b"\x8b", False, False, "reserved opcode"),
    (b"\x8f", False, False, "reserved opcode"),
    (b"\x09", False, False, "fragmented"),
    (b"\xc9", False, True, "marked as compressed"),
    (b"\xc0", False, True, "marked as compressed"),
    (b"\x89\x7e", False, False, "longer than 125"),
    (b"\x81\x05", True, False, "not masked"),
    (b"\x81\x85", False, False, "is masked"),
    (b"\x81\x7e\x00\x7d", False, False, "shortest form"),
    (b"\x81\x7f" + (65535).to_bytes(8, "big"), False, False, "shortest form"),
    (b"\x81\x7f\x80" + bytes(7), False, False, "highest bit"),
]


@pytest.mark.parametrize(("octets", "is_masked", "allows_rsv1", "message"), FAULTS)
def test_headers_that_break_a_rule(
    octets: bytes, is_masked: bool, allows_rsv1: bool, message: str
) -> None:
    for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))], [octets + b"more"]):
        parser = FrameParser(is_masked=is_masked, allows_rsv1=allows_rsv1)
        for piece in pieces[:-1]:
            parser.feed(piece)
            assert not parser.read_header()
        parser.feed(pieces[-1])
        with pytest.raises(RemoteProtocolError, match=message) as caught:
            parser.read_header()
        assert caught.value.close_code == 1002


def test_a_declared_length_is_known_before_its_payload() -> None:
    parser = FrameParser(is_masked=False)
    parser.feed(b"\x82\x7f\x7f" + b"\xff" * 7)
    assert parser.read_header()
    assert parser.length == parser.remaining == 2**63 - 1
    parser.feed(b"abc")
    assert parser.read_payload() == b"abc"
    assert parser.remaining == 2**63 - 4
    assert parser.read_payload() == b""


def test_discard_drops_what_is_unread() -> None:
    parser = FrameParser(is_masked=False)
    parser.feed(b"\x89\x00\x89")
    assert parser.read_header()
    parser.discard()
    parser.feed(b"\x8a\x00")
    assert parser.read_header()
    assert parser.opcode == 10


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_a_mask_is_its_own_inverse(data: bytes, key: bytes) -> None:
    masked = mask(data, key)
    assert masked == bytes(octet ^ key[i % 4] for i, octet in enumerate(data))
    assert mask(masked, key) == data


def test_a_mask_key_has_four_octets() -> None:
    with pytest.raises(ValueError, match="4 octets"):
        mask(b"data", b"key")


def passes(pieces: list[bytes], *, is_whole: bool) -> bool:
    """Whether a validator takes the pieces, as a whole text or as the beginning of one."""
    validator = Utf8Validator()
    try:
        for piece in pieces:
            validator.feed(piece, False)
        if is_whole:
            validator.feed(b"", True)
    except RemoteProtocolError:
        return False
    return True


def test_utf8_fails_at_the_first_impossible_octet() -> None:
    begins = {
        chr(point).encode()[:2] for point in (*range(0x80, 0xD800), *range(0xE000, 0x110000, 64))
    }
    for pair in product(range(0x80, 0x100), range(0x100)):
        octets = bytes(pair)
        assert passes([octets], is_whole=False) == (octets in begins)
        assert passes([octets[:1], octets[1:]], is_whole=False) == (octets in begins)


@given(st.lists(st.one_of(st.text().map(str.encode), st.binary(max_size=5)), max_size=6))
def test_utf8_in_pieces_is_the_utf8_of_the_whole(pieces: list[bytes]) -> None:
    try:
        b"".join(pieces).decode()
        is_text = True
    except UnicodeDecodeError:
        is_text = False
    assert passes(pieces, is_whole=True) == is_text


def test_a_text_may_not_end_inside_a_character() -> None:
    validator = Utf8Validator()
    validator.feed(b"\xe2\x82", False)
    with pytest.raises(RemoteProtocolError, match="not UTF-8") as caught:
        validator.feed(b"", True)
    assert caught.value.close_code == 1007


def test_a_validator_serves_one_text_after_another() -> None:
    validator = Utf8Validator()
    for _ in range(2):
        validator.feed(b"\xe2\x82", False)
        validator.feed(b"\xac", True)


def test_a_whole_text() -> None:
    assert decode_text(b"gr\xc3\xbc\xc3\x9fe") == "grüße"
    with pytest.raises(RemoteProtocolError) as caught:
        decode_text(b"\xff")
    assert caught.value.close_code == 1007


def test_what_runs_is_what_is_expected() -> None:
    expected = os.environ.get("UPWIRE_EXPECT")
    if expected is not None:
        assert _codec.is_compiled() == (expected == "compiled")
    assert isinstance(_codec.is_compiled(), bool)


def test_the_stand_in_for_cython_does_nothing() -> None:
    @_cython.cfunc
    @_cython.nogil
    @_cython.exceptval(check=False)
    def double(n: int) -> int:
        return 2 * n

    assert double(2) == 4
    assert _cython.declare(_cython.ulonglong, visibility="readonly") == 0
    assert _cython.declare(_cython.int, 5) == 5
    with pytest.raises(ZeroDivisionError), _cython.nogil:
        _ = 1 // 0
    assert not _cython.compiled


# Whole messages


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize(
    ("opcode", "payload", "message"),
    [
        (2, b"", b""),
        (1, b"", ""),
        (2, bytes(range(256)), bytes(range(256))),
        (1, b"plain " * 30, "plain " * 30),
        (1, "grüße".encode(), "grüße"),
        (1, b"ascii " * 3 + "ß".encode(), "ascii " * 3 + "ß"),
        (2, b"x" * 70_000, b"x" * 70_000),
    ],
)
def test_a_whole_message_is_read_in_one_go(
    opcode: int, payload: bytes, message: str | bytes, is_masked: bool
) -> None:
    frame = build_frame(opcode, payload, mask_key=KEY if is_masked else None)
    parser = FrameParser(is_masked=is_masked)
    for at in range(max(len(frame) - 9, 0), len(frame)):  # octet by octet, near the end
        parser.feed(frame[:at] if at == max(len(frame) - 9, 0) else frame[at - 1 : at])
        assert parser.read_message(2**20) is None
    parser.feed(frame[-1:] + frame + b"\x81")
    assert [parser.read_message(2**20) for _ in range(3)] == [message, message, None]
    assert parser.unread_octets == 1


@pytest.mark.parametrize(
    "octets",
    [
        b"\x01\x01a",  # not final
        b"\x89\x01a",  # a ping
        b"\x83\x01a",  # a reserved opcode
        b"\xc1\x01a",  # compressed
        b"\x82\x0b" + b"too long!!!",
        b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"",
    ],
)
def test_anything_else_is_left_where_it_is(octets: bytes) -> None:
    parser = FrameParser(is_masked=False, allows_rsv1=True)
    parser.feed(octets)
    assert parser.read_message(10) is None
    assert parser.unread_octets == len(octets)


@pytest.mark.parametrize("mask_key", [None, KEY])
def test_a_whole_text_that_is_not_utf8(mask_key: bytes | None) -> None:
    parser = FrameParser(is_masked=mask_key is not None)
    parser.feed(build_frame(1, b"a" * 20 + b"\xff", mask_key=mask_key))
    with pytest.raises(RemoteProtocolError) as raised:
        parser.read_message(100)
    assert raised.value.close_code == 1007


def test_a_frame_takes_its_mask_from_among_many() -> None:
    assert _codec.write_frame(0x82, b"\0\0\0\0\0", b"....abcd", 4) == b"\x82\x85abcdabcda"
    with pytest.raises(ValueError, match="4 octets"):
        build_frame(2, b"x", mask_key=b"abc")

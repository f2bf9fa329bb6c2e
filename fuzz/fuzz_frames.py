"""Fuzzes frame headers, masks and the counting of frames."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from functools import partial

from driver import check_splits, run

from upwire.errors import RemoteProtocolError
from upwire.wire._codec import FrameParser, build_frame, mask
from upwire.wire._frame_counter import FrameCounter
from upwire.wire.frames import build_close, parse_close

KEY = b"\x37\xfa\x21\x3d"
CORPUS = (
    b"\x81\x05Hello\x01\x03Hel\x80\x02lo\x89\x00\x8a\x00",
    build_frame(1, b"Hello", mask_key=KEY) + build_frame(8, b"\x03\xe8bye", mask_key=KEY),
    build_frame(2, bytes(126)) + build_frame(8, b"\x03\xe8"),
    build_frame(2, bytes(65536), mask_key=KEY),
    build_frame(1, b"x", rsv1=True),
    b"\x82\x7f\x80" + bytes(7),
)


def read_frames(pieces: Iterable[bytes], *, is_masked: bool) -> object:
    """The frames, which must come out the same when they are built again."""
    parser = FrameParser(is_masked=is_masked, allows_rsv1=True)
    frames: list[tuple[int, bool, bool, bytes]] = []
    payload = b""
    is_inside = False
    for piece in pieces:
        parser.feed(piece)
        while is_inside or parser.read_header():
            payload += parser.read_payload()
            is_inside = parser.remaining > 0
            if is_inside:
                break
            frames.append((parser.opcode, parser.is_final, parser.rsv1, payload))
            payload = b""
    return frames, payload, is_inside


def count_frames(pieces: Iterable[bytes]) -> object:
    """What a counter says at the end."""
    counter = FrameCounter()
    for piece in pieces:
        counter.feed(piece)
    return counter.octets, counter.by_opcode, counter.messages, counter.close_code


def frames_do_not_depend_on_splits(octets: bytes, rng: random.Random) -> None:
    """No octets raise anything but RemoteProtocolError, however they are split."""
    check_splits(count_frames, octets, rng)
    for is_masked in (False, True):
        check_splits(partial(read_frames, is_masked=is_masked), octets, rng)
    assert mask(mask(octets, KEY), KEY) == octets
    try:
        close = parse_close(octets[:125])
    except RemoteProtocolError:
        return
    assert build_close(close.code, close.reason) == octets[:125]


if __name__ == "__main__":
    sys.exit(run(frames_do_not_depend_on_splits, CORPUS))

"""Frames as tuples, read by the parser in steps."""

from __future__ import annotations

from upwire.wire._codec import FrameParser

KEY = b"\x37\xfa\x21\x3d"  # of RFC 6455 §5.7
Frame = tuple[int, bool, bool, bytes]  # opcode, is_final, rsv1, payload


def read_frames(parser: FrameParser, octets: bytes, step: int) -> list[Frame]:
    """Parse, fed in steps; every frame is expected to be complete."""
    frames: list[Frame] = []
    payload = b""
    is_inside = False
    for at in range(0, len(octets), step):
        parser.feed(octets[at : at + step])
        while is_inside or parser.read_header():
            is_inside = True
            payload += parser.read_payload()
            if parser.remaining:
                break
            frames.append((parser.opcode, parser.is_final, parser.rsv1, payload))
            payload, is_inside = b"", False
    return frames

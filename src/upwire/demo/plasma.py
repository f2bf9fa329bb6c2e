"""An animated interference pattern, computed picture by picture.

Three waves are added point by point. A row is added as one long integer: each point is an
octet, and three times WAVE_MAX stays below 256, so that no sum carries into its neighbour.
"""

from __future__ import annotations

import math

WIDTH = 192
HEIGHT = 108
WAVE_MAX = 85

_MARGIN_X = 96  # how far the window moves over a field, each way
_MARGIN_Y = 54


def _wave(phase: float) -> int:
    return round((math.sin(phase) + 1) / 2 * WAVE_MAX)


def _rings(length: float) -> list[bytes]:
    """Return the rows of a field of rings around its middle, larger than a picture."""
    columns, rows = WIDTH + 2 * _MARGIN_X, HEIGHT + 2 * _MARGIN_Y
    return [
        bytes(_wave(math.hypot(x - columns / 2, y - rows / 2) / length) for x in range(columns))
        for y in range(rows)
    ]


_NEAR_RINGS = _rings(7.0)
_WIDE_RINGS = _rings(13.0)
_FLAT = [bytes([level]) * WIDTH for level in range(WAVE_MAX + 1)]


def paint(number: int) -> bytes:
    """Return picture number: WIDTH * HEIGHT octets, row by row, each a color's index."""
    near_x, near_y = _window(number / 61, number / 43)
    wide_x, wide_y = _window(number / 89 + 2, number / 71 + 4)
    rows = []
    for y in range(HEIGHT):
        total = (
            int.from_bytes(_NEAR_RINGS[near_y + y][near_x : near_x + WIDTH])
            + int.from_bytes(_WIDE_RINGS[wide_y + y][wide_x : wide_x + WIDTH])
            + int.from_bytes(_FLAT[_wave(y / 17 + number / 29)])
        )
        rows.append(total.to_bytes(WIDTH))
    return b"".join(rows)


def _window(turn_x: float, turn_y: float) -> tuple[int, int]:
    """Return the upper left corner of a picture's window on a field."""
    return (
        round(_MARGIN_X * (1 + math.sin(turn_x))),
        round(_MARGIN_Y * (1 + math.cos(turn_y))),
    )

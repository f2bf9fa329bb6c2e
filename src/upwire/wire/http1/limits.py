"""What the head of an HTTP message may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """What a head or a trailer section may be. The defaults are ours, the options are nginx's.

    line_octets: of a line with its end. head_octets: of all lines. field_count: of field lines.
    start_line_status, field_status: what to answer where one is passed, in the start line or
    behind it (nginx: 414 and 400).
    accepts_loose_lines: a bare LF ends a line, spaces repeat in a request line (RFC 9112 §2.2, §3).
    drops_other_names: a line whose name has more than letters, digits, hyphens and underscores is
    left out (nginx: ignore_invalid_headers); otherwise a name is a token, and no other passes.
    drops_underscores: so is one whose name has an underscore (nginx: underscores_in_headers off).
    """

    line_octets: int = 8192
    head_octets: int = 32768
    field_count: int = 100
    start_line_status: int = 414
    field_status: int = 431
    accepts_loose_lines: bool = False
    drops_other_names: bool = False
    drops_underscores: bool = False


DEFAULT_LIMITS = HeadLimits()

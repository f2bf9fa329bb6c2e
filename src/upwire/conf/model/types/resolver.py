"""`resolver`: the name servers that are asked while the proxy runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from upwire.conf.syntax import Position


@dataclass(frozen=True, slots=True)
class Resolver:
    """`resolver`: name servers as (host, port), and how long an answer holds.

    valid_s None: as long as the answer's records say. position: where it stands; two that differ in
    that alone are one resolver.
    """

    servers: tuple[tuple[str, int], ...]
    valid_s: float | None = None
    ipv4: bool = True
    ipv6: bool = True
    position: Position | None = field(default=None, compare=False)

"""`resolver`: the name servers that are asked while the proxy runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resolver:
    """`resolver`: name servers as (host, port), and how long an answer holds.

    valid_s None: as long as the answer's records say.
    """

    servers: tuple[tuple[str, int], ...]
    valid_s: float | None = None
    ipv4: bool = True
    ipv6: bool = True

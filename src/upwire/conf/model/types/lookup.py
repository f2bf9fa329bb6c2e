"""`geo` and `split_clients`: variables whose values tables of addresses and of hashes choose."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from upwire.conf.cidr import Cidr, IpAddress
from upwire.conf.syntax import Position
from upwire.conf.variables import Template

_NOWHERE = ipaddress.IPv4Address("255.255.255.255")

Prefixes = Mapping[int, Mapping[int, str]]
"""Values by the prefix's length, longest first, and by the network's address."""


@dataclass(frozen=True, slots=True)
class GeoNetworks:
    """The longest prefix decides."""

    v4: Prefixes
    v6: Prefixes

    def find(self, address: IpAddress) -> str:
        """Return the value for an address, "" where no network has it."""
        table = self.v4 if address.version == 4 else self.v6
        number, bits = int(address), address.max_prefixlen
        for length, networks in table.items():
            value = networks.get(number >> (bits - length))
            if value is not None:
                return value
        return ""


@dataclass(frozen=True, slots=True)
class GeoRanges:
    """Ranges of IPv4 addresses that do not overlap, ends included, in their order."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    values: tuple[str, ...]
    default: str

    def find(self, address: IpAddress) -> str:
        """Return the value for an address, the default where no range has it."""
        if address.version == 4:
            number = int(address)
            at = bisect_right(self.starts, number) - 1
            if at >= 0 and number <= self.ends[at]:
                return self.values[at]
        return self.default


@dataclass(frozen=True, slots=True)
class Geo:
    """A `geo`. source None: the client's address, which `proxies` may forward."""

    variable: str
    source: str | None
    table: GeoNetworks | GeoRanges
    position: Position
    proxies: tuple[Cidr, ...] = ()
    proxy_recursive: bool = False
    volatile: bool = False

    def find(self, address: IpAddress | None) -> str:
        """Return the value for an address; None, for a unix socket or for what is none."""
        return self.table.find(address or _NOWHERE)


@dataclass(frozen=True, slots=True)
class SplitClients:
    """A `split_clients`. parts: bounds of the hash, exclusive, None for the rest, and values."""

    variable: str
    source: Template
    parts: tuple[tuple[int | None, str], ...]
    position: Position

    def find(self, number: int) -> str | None:
        """Return what a hash of 32 bits chooses; None where it is beyond all parts."""
        for bound, value in self.parts:
            if bound is None or number < bound:
                return value
        return None

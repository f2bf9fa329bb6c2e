"""Networks of addresses, as `allow`, `set_real_ip_from` and `geo` name them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

UNIX = "unix:"
"""The address of every client that came by a unix socket."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Cidr:
    """A block of addresses; network None is all clients of unix sockets."""

    network: IpNetwork | None

    def holds(self, address: IpAddress | None) -> bool:
        """Whether an address is in it; None is a client of a unix socket."""
        if self.network is None or address is None:
            return self.network is None and address is None
        return self.network.version == address.version and address in self.network


def parse_cidr(text: str) -> tuple[Cidr, bool]:
    """Return a block, and whether bits behind its prefix were given and mean nothing.

    Raises ValueError. As ngx_ptocidr() reads it: an address, alone or with the prefix's length.
    """
    if text == UNIX:
        return Cidr(None), False
    host, slash, length = text.partition("/")
    if (slash and not (length.isascii() and length.isdigit())) or "%" in host:
        raise ValueError(text)
    address = ipaddress.ip_address(host)
    prefix = f"{address}/{int(length)}" if slash else str(address)
    network = ipaddress.ip_network(prefix, strict=False)
    return Cidr(network), network.network_address != address


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> IpAddress | None:
    """Return an address to match, an IPv4 one where IPv6 only maps it; None for a unix socket.

    Raises ValueError where text is no address.
    """
    if text.startswith(UNIX):
        return None
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address

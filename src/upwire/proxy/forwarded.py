"""Whose address a chain of trusted proxies says that a request comes from."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from upwire.conf.cidr import UNIX, Cidr, parse_ip

Origin = tuple[str, int]
"""A client's address and port; 0 where the port is not known."""


def find_origin(
    address: Origin, values: Sequence[str], trusted: Sequence[Cidr], *, is_recursive: bool
) -> Origin | None:
    """Return the address that the values of a field lead to; None where nobody is believed.

    The last address that trusted ones have written counts; is_recursive goes on from address to
    address as long as each is trusted itself.
    """
    found = address
    is_found = False
    for text in reversed([part for value in values for part in _addresses(value)]):
        if not _is_trusted(found[0], trusted):
            break
        origin = _read_origin(text)
        if origin is None:
            break
        found, is_found = origin, True
        if not is_recursive:
            break
    return found if is_found else None


def _addresses(value: str) -> list[str]:
    return [part for part in value.replace(",", " ").split(" ") if part]


def _is_trusted(address: str, trusted: Sequence[Cidr]) -> bool:
    parsed = parse_ip(address)
    return any(cidr.holds(parsed) for cidr in trusted)


def _read_origin(text: str) -> Origin | None:
    """Return an address, with its port where one follows; None where text is none."""
    try:
        if text.startswith(UNIX) or "%" in text:
            return None
        if text.startswith("["):
            host, port = text[1:].split("]", 1)
            if port and not port.startswith(":"):
                return None
            port = port[1:]
        elif text.count(":") == 1:
            host, port = text.split(":")
        else:
            host, port = text, ""
        if port and not _is_port(port):
            return None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        packed = ipaddress.ip_address(host).packed
    except ValueError:
        return None
    return socket.inet_ntop(family, packed), int(port or 0)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= 65535

"""ngx_http_split_clients_module: what a `split_clients` gives for a request."""

from __future__ import annotations

from upwire.conf.model import SplitClients
from upwire.proxy.request import Request

_WORD = 0xFFFFFFFF
_FACTOR = 0x5BD1E995


def find_value(request: Request, split: SplitClients) -> str:
    """Return the part that the hash of the source falls into, "" beyond all of them."""
    source = split.source.render(request.lookup).encode("latin-1", "replace")
    return split.find(murmur_hash2(source)) or ""


def murmur_hash2(octets: bytes) -> int:
    """Return Austin Appleby's MurmurHash2 of 32 bits, with the seed 0 that nginx takes."""
    number = len(octets)
    whole = len(octets) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(octets[at : at + 4], "little") * _FACTOR & _WORD
        word = (word ^ word >> 24) * _FACTOR & _WORD
        number = number * _FACTOR & _WORD ^ word
    if whole < len(octets):
        number = (number ^ int.from_bytes(octets[whole:], "little")) * _FACTOR & _WORD
    number = (number ^ number >> 13) * _FACTOR & _WORD
    return number ^ number >> 15

"""`geo`: a variable whose value the client's address chooses."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from upwire.conf.cidr import Cidr, IpNetwork, parse_cidr
from upwire.conf.model.assembly import Assembly, Wrong
from upwire.conf.model.types import Geo, GeoNetworks, GeoRanges
from upwire.conf.syntax import Directive
from upwire.conf.values import is_ipv4

_FLAGS = frozenset({"ranges", "proxy_recursive", "volatile"})
_CHUNK = 0x10000  # nginx keeps ranges by their upper 16 bits, and compares within those
_V4_ALL, _V6_ALL = ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")


def read_geo(directive: Directive, assembly: Assembly) -> Geo:
    """Return one table; lines that are wrong are noted and left out."""
    lines = [line for line in directive.block or () if line.args or line.name not in _FLAGS]
    flags = {line.name for line in directive.block or () if not line.args}
    table = _Ranges(assembly) if "ranges" in flags else _Networks(assembly)
    proxies: list[Cidr] = []
    for line in lines:
        try:
            if len(line.args) != 1:
                raise Wrong("invalid number of the geo parameters", line.position)
            if line.name == "proxy":
                proxies.append(Cidr(_read_network(line.args[0], line, assembly)))
            else:
                table.add(line)
        except Wrong as wrong:
            assembly.fault(wrong.message, wrong.at)
    *source, variable = directive.args
    return Geo(
        variable.removeprefix("$").lower(),
        source[0].removeprefix("$").lower() if source else None,
        table.finish(),
        directive.position,
        tuple(proxies),
        "proxy_recursive" in flags,
        "volatile" in flags,
    )


def _read_network(text: str, line: Directive, assembly: Assembly) -> IpNetwork:
    try:
        cidr, has_low_bits = parse_cidr(text)
    except ValueError:
        cidr, has_low_bits = Cidr(None), False
    if cidr.network is None:
        raise Wrong(f'invalid network "{text}"', line.position)
    if has_low_bits:
        assembly.warn(f"low address bits of {text} are meaningless", line.position)
    return cidr.network


class _Networks:
    """The lines of a block without `ranges`."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._values: dict[IpNetwork, str] = {}

    def add(self, line: Directive) -> None:
        """Take one line; raises Wrong."""
        if line.name == "default":
            for network in (_V4_ALL, _V6_ALL):
                self._set(network, line.args[0], line)
            return
        text = line.args[0] if line.name == "delete" else line.name
        network = _read_network(text, line, self._assembly)
        if line.name != "delete":
            self._set(network, line.args[0], line)
        elif self._values.pop(network, None) is None:
            self._assembly.warn(f'no network "{text}" to delete', line.position)

    def _set(self, network: IpNetwork, value: str, line: Directive) -> None:
        old = self._values.get(network)
        if old is not None:
            message = f'duplicate network "{line.name}", value: "{value}", old value: "{old}"'
            self._assembly.warn(message, line.position)
        self._values[network] = value

    def finish(self) -> GeoNetworks:
        """Return the table."""
        tables: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        for network, value in sorted(
            self._values.items(), key=lambda item: item[0].prefixlen, reverse=True
        ):
            length = network.prefixlen
            number = int(network.network_address) >> (network.max_prefixlen - length)
            tables[network.version].setdefault(length, {})[number] = value
        return GeoNetworks(tables[4], tables[6])


@dataclass(slots=True)
class _Range:
    """A range within one chunk, ends included."""

    start: int
    end: int
    value: str


class _Ranges:
    """The lines of a block with `ranges`."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._chunks: dict[int, list[_Range]] = {}
        self._default: str | None = None

    def add(self, line: Directive) -> None:
        """Take one line; raises Wrong."""
        if line.name == "default":
            if self._default is not None:
                message = f'duplicate default geo range value: "{line.args[0]}", '
                message += f'old value: "{self._default}"'
                self._assembly.warn(message, line.position)
            self._default = line.args[0]
            return
        text = line.args[0] if line.name == "delete" else line.name
        start, end = _read_range(text, line)
        if line.name == "delete":
            removed = [self._remove(*part) for part in _split(start, end)]
            if not all(removed):
                self._assembly.warn(f'no address range "{text}" to delete', line.position)
            return
        for number, first, last in _split(start, end):
            self._insert(number, _Range(first, last, line.args[0]), line)

    def _remove(self, number: int, start: int, end: int) -> bool:
        chunk = self._chunks.get(number, [])
        for at, found in enumerate(chunk):
            if (found.start, found.end) == (start, end):
                del chunk[at]
                return True
        return False

    def _insert(self, number: int, new: _Range, line: Directive) -> None:
        """Put a range into its chunk, over one that holds it; raises Wrong for an overlap."""
        chunk = self._chunks.setdefault(number, [])
        at = len(chunk)
        while at and new.end < chunk[at - 1].start:
            at -= 1
        if not at or new.start > chunk[at - 1].end:
            chunk.insert(at, new)
            return
        old = chunk[at - 1]
        if new.start < old.start or new.end > old.end:
            low, high = (_dotted(number * _CHUNK + end) for end in (old.start, old.end))
            message = f'range "{line.name}" overlaps "{low}-{high}"'
            raise Wrong(message, line.position)
        if (new.start, new.end) == (old.start, old.end):
            message = f'duplicate range "{line.name}", value: "{new.value}", '
            self._assembly.warn(f'{message}old value: "{old.value}"', line.position)
        before = [_Range(old.start, new.start - 1, old.value)] if old.start < new.start else []
        after = [_Range(new.end + 1, old.end, old.value)] if new.end < old.end else []
        chunk[at - 1 : at] = [*before, new, *after]

    def finish(self) -> GeoRanges:
        """Return the table."""
        found = [
            (number * _CHUNK + one.start, number * _CHUNK + one.end, one.value)
            for number, chunk in sorted(self._chunks.items())
            for one in chunk
        ]
        starts, ends, values = zip(*found, strict=True) if found else ((), (), ())
        return GeoRanges(starts, ends, values, self._default or "")


def _read_range(text: str, line: Directive) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not dash or not is_ipv4(low) or not is_ipv4(high):
        raise Wrong(f'invalid range "{text}"', line.position)
    start, end = _number(low), _number(high)
    if start > end:
        raise Wrong(f'invalid range "{text}"', line.position)
    return start, end


def _split(start: int, end: int) -> list[tuple[int, int, int]]:
    """Return the chunks that a range reaches into, and its part in each."""
    return [
        (
            number,
            max(start - number * _CHUNK, 0),
            min(end - number * _CHUNK, _CHUNK - 1),
        )
        for number in range(start // _CHUNK, end // _CHUNK + 1)
    ]


def _number(text: str) -> int:
    return int.from_bytes(bytes(map(int, text.split("."))), "big")


def _dotted(number: int) -> str:
    return str(ipaddress.IPv4Address(number))

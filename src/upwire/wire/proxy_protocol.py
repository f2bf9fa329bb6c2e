"""The PROXY protocol, versions 1 and 2: who connected to the proxy in front of us.

https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt; its sections are cited as "PROXY §2.1".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from upwire.errors import RemoteProtocolError

HEADER_OCTETS_MAX = 4096
"""What nginx takes, TLVs included."""

_V1_OCTETS_MAX = 107  # PROXY §2.1
_V1_START = b"PROXY "
_V1_PORT = r"(\d{1,5})"
_V1 = re.compile(rf"PROXY TCP[46] ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) {_V1_PORT} {_V1_PORT}\r\n")
_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEADER_OCTETS = 16
_V2_PROXY_COMMAND, _V2_STREAM = 1, 1
_V2_ADDRESS_OCTETS = {1: 4, 2: 16}  # by address family: IPv4, IPv6
_PORT_MAX = 65535

TLV_SSL = 0x20
TLV_TYPES: Mapping[str, int] = {
    "alpn": 0x01,
    "authority": 0x02,
    "unique_id": 0x05,
    "ssl": TLV_SSL,
    "netns": 0x30,
}
"""nginx's names of the types of PROXY §2.2."""

SSL_TLV_TYPES: Mapping[str, int] = {
    "version": 0x21,
    "cn": 0x22,
    "cipher": 0x23,
    "sig_alg": 0x24,
    "key_alg": 0x25,
}
"""nginx's names of the types inside the SSL one (PROXY §2.2.6)."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """One header. The source is the client; the destination is where it connected."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    tlvs: Mapping[int, bytes] = field(default_factory=dict)

    def tlv(self, name: str) -> bytes | None:
        """Return a TLV by nginx's name for it or by "0x" and its type; None where it is absent.

        "ssl_" goes before the names inside the SSL one, whose client's verdict is "ssl_verify".
        """
        if name.startswith("ssl_"):
            inside = self.tlvs.get(TLV_SSL)
            if inside is None or len(inside) < 5:
                return None
            if name == "ssl_verify":
                return str(int.from_bytes(inside[1:5], "big")).encode()
            return _find(_read_tlvs(inside[5:]), name[len("ssl_") :], SSL_TLV_TYPES)
        return _find(self.tlvs, name, TLV_TYPES)


def parse_proxy_header(octets: bytes) -> tuple[ProxyHeader | None, int] | None:
    """Read the header that octets begin with; None where more of it is to come.

    Returns the header and how many octets it has; it is None where it names no connection over
    TCP (UNKNOWN, LOCAL). Raises RemoteProtocolError for everything else (PROXY §2).
    """
    if octets.startswith(_V2_SIGNATURE[: len(octets)]):
        return _parse_v2(octets) if len(octets) >= _V2_HEADER_OCTETS else None
    if octets.startswith(_V1_START[: len(octets)]):
        return _parse_v1(octets)
    raise _broken(octets)


def _parse_v1(octets: bytes) -> tuple[ProxyHeader | None, int] | None:
    end = octets.find(b"\r\n", 0, _V1_OCTETS_MAX)
    if end < 0:
        if len(octets) >= _V1_OCTETS_MAX:
            raise _broken(octets)
        return None
    line = octets[: end + 2]
    if line.startswith(b"PROXY UNKNOWN"):
        return None, len(line)
    match = _V1.fullmatch(line.decode("latin-1"))
    if match is None or max(int(match[3]), int(match[4])) > _PORT_MAX:
        raise _broken(octets)
    return ProxyHeader(match[1], int(match[3]), match[2], int(match[4])), len(line)


def _parse_v2(octets: bytes) -> tuple[ProxyHeader | None, int] | None:
    version, command = octets[12] >> 4, octets[12] & 15
    family, transport = octets[13] >> 4, octets[13] & 15
    if version != 2:
        message = f"unknown PROXY protocol version: {version}"
        raise RemoteProtocolError(message, "PROXY §2.2")
    end = _V2_HEADER_OCTETS + int.from_bytes(octets[14:16], "big")
    if end > HEADER_OCTETS_MAX:
        raise RemoteProtocolError("header is too large", "PROXY §2.2")
    if len(octets) < end:
        return None
    if command != _V2_PROXY_COMMAND or transport != _V2_STREAM or family not in _V2_ADDRESS_OCTETS:
        return None, end
    size = _V2_ADDRESS_OCTETS[family]
    content = octets[_V2_HEADER_OCTETS:end]
    if len(content) < 2 * size + 4:
        raise RemoteProtocolError("header is too short for its addresses", "PROXY §2.2")
    source, destination = content[:size], content[size : 2 * size]
    ports = content[2 * size : 2 * size + 4]
    header = ProxyHeader(
        str(ipaddress.ip_address(source)),
        int.from_bytes(ports[:2], "big"),
        str(ipaddress.ip_address(destination)),
        int.from_bytes(ports[2:], "big"),
        _read_tlvs(content[2 * size + 4 :]),
    )
    return header, end


def _read_tlvs(octets: bytes) -> dict[int, bytes]:
    """Return the values by type, the first of each; what is cut off at the end is left out."""
    tlvs: dict[int, bytes] = {}
    at = 0
    while at + 3 <= len(octets):
        end = at + 3 + int.from_bytes(octets[at + 1 : at + 3], "big")
        if end > len(octets):
            break
        tlvs.setdefault(octets[at], octets[at + 3 : end])
        at = end
    return tlvs


def _find(tlvs: Mapping[int, bytes], name: str, types: Mapping[str, int]) -> bytes | None:
    if name in types:
        return tlvs.get(types[name])
    if not name.startswith("0x"):
        return None
    try:
        return tlvs.get(int(name, 16))
    except ValueError:
        return None


def _broken(octets: bytes) -> RemoteProtocolError:
    line = re.split(rb"[\r\n]", octets[:_V1_OCTETS_MAX], maxsplit=1)[0].decode("latin-1")
    return RemoteProtocolError(f'broken header: "{line}"', "PROXY §2")

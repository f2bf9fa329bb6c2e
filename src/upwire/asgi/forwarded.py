"""Who a client is where trusted proxies speak for it: X-Forwarded-For and X-Forwarded-Proto."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from upwire.errors import LocalProtocolError
from upwire.wire.fields import Headers, parse_list

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class TrustedProxies:
    """Addresses and networks whose fields are believed.

    text: separated by commas, "*" for everybody; what is no address is compared as it is.
    """

    def __init__(self, text: str) -> None:
        self._trusts_all = False
        self._names: set[str] = set()
        self._networks: list[_Network] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            if part == "*":
                self._trusts_all = True
            elif "/" in part:
                self._networks.append(_network(part))
            else:
                self._names.add(part)
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def client_of(self, peer: tuple[str, int] | None, headers: Headers) -> tuple[str, int] | None:
        """Return the address of the client, port 0 where a proxy has told it.

        The last address that is not a trusted proxy's; where all are trusted, the first.
        """
        told = headers.combined("X-Forwarded-For")
        hosts = [] if told is None else parse_list(told)
        if not hosts:
            return peer
        if self._trusts_all:
            return _without_port(hosts[0]), 0
        strangers = (host for host in map(_without_port, reversed(hosts)) if not self.trusts(host))
        return next(strangers, _without_port(hosts[0])), 0

    def scheme_of(self, scheme: str, headers: Headers) -> str:
        """Return "http" or "https", whichever the client has used."""
        told = headers.get("X-Forwarded-Proto")
        return scheme if told is None else _SCHEMES.get(told.strip().lower(), scheme)

    def _trusts(self, host: str) -> bool:
        if self._trusts_all or host in self._names:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise LocalProtocolError(f"forwarded_allow_ips: {error}") from None


def _without_port(host: str) -> str:
    """Return the address alone of `192.0.2.1:80`, `[2001:db8::1]:80` or `[2001:db8::1]`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, _ = host.partition(":")
    return name if colon and ":" not in host[len(name) + 1 :] else host

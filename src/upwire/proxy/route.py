"""From a listen address, a Host and a path to the `Server` and the `Location` that answer.

Pure: nginx's choice of the virtual server, and its find-config phase. The tables are built once
for each configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from upwire.conf.model import Config, Location, MatchKind, NameKind, Server
from upwire.conf.regex import Regex

ListenAddress = tuple[str, int]
"""Host and port as the configuration binds them; a unix socket has its path and port 0."""

WILDCARDS = ("0.0.0.0", "[::]", "::")


@dataclass(frozen=True, slots=True)
class Captures:
    """What an expression captured: the whole match and the groups, and the groups' names."""

    values: tuple[str, ...] = ()
    names: Mapping[str, int] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Return the capture "1" to "9" or of that name, None where there is none."""
        number = int(name) if name.isdecimal() else self.names.get(name)
        if number is None or number >= len(self.values):
            return None
        return self.values[number]


NOTHING_CAPTURED = Captures()


class Route(NamedTuple):
    """The location found for a path, None where the server itself answers.

    is_redirect: the path lacks only the slash that ends the location's, so nginx answers 301.
    """

    location: Location | None
    captures: Captures = NOTHING_CAPTURED
    is_redirect: bool = False


_NOWHERE = Route(None)


class LocationTable:
    """The locations of one level, made ready for finding."""

    __slots__ = ("_exact", "_lengths", "_named", "_nested", "_prefixes", "_redirects", "_regexes")

    def __init__(self, locations: Iterable[Location]) -> None:
        self._exact: dict[str, Location] = {}
        self._prefixes: dict[str, Location] = {}
        self._named: dict[str, Location] = {}
        self._regexes: list[tuple[Regex, Location]] = []
        self._nested: dict[int, LocationTable] = {}
        for location in locations:
            self._add(location)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._redirects = {
            location.pattern[:-1]: location
            for location in (*self._prefixes.values(), *self._exact.values())
            if location.pattern.endswith("/")
            and (location.settings.handler or "").endswith("_pass")
        }

    def find(self, uri: str) -> Route:
        """Return the location for a normalised path, as nginx's find-config phase does."""
        return self._find(uri)[0]

    def find_named(self, name: str) -> Location | None:
        """Return the location `@name`; name comes without "@"."""
        return self._named.get(name)

    def _add(self, location: Location) -> None:
        match location.kind:
            case MatchKind.EXACT:
                self._exact[location.pattern] = location
            case MatchKind.PREFIX | MatchKind.PREFIX_NO_REGEX:
                self._prefixes[location.pattern] = location
            case MatchKind.NAMED:
                self._named[location.pattern] = location
            case MatchKind.REGEX | MatchKind.REGEX_NOCASE:
                assert location.regex is not None
                self._regexes.append((location.regex, location))
        if location.locations:
            self._nested[id(location)] = LocationTable(location.locations)

    def _find(self, uri: str) -> tuple[Route, bool]:
        """Return a route, and whether it is final: no expression of a level above is tried."""
        if location := self._exact.get(uri):
            return Route(location), True
        prefix = self._longest_prefix(uri)
        redirect = self._redirects.get(uri)
        if redirect is not None and (prefix is None or prefix.pattern != uri):
            return Route(redirect, is_redirect=True), True
        route = Route(prefix)
        if prefix is not None:
            nested, is_final = self._find_nested(prefix, uri)
            if nested.location is not None:
                route = nested
            if is_final:
                return route, True
        if prefix is None or prefix.kind is not MatchKind.PREFIX_NO_REGEX:
            matched = self._match(uri)
            if matched is not None:
                return matched, True
        return route, False

    def _find_nested(self, location: Location, uri: str) -> tuple[Route, bool]:
        table = self._nested.get(id(location))
        return table._find(uri) if table else (_NOWHERE, False)

    def _longest_prefix(self, uri: str) -> Location | None:
        for length in self._lengths:
            location = self._prefixes.get(uri[:length]) if length <= len(uri) else None
            if location is not None:
                return location
        return None

    def _match(self, uri: str) -> Route | None:
        """Return the first expression's location, or what is nested in it."""
        for regex, location in self._regexes:
            values = regex.search(uri)
            if values is not None:
                nested, _ = self._find_nested(location, uri)
                if nested.location is None:
                    return Route(location, Captures(values, regex.names))
                if nested.captures is NOTHING_CAPTURED:
                    captures = Captures(values, regex.names)
                    return Route(nested.location, captures, nested.is_redirect)
                return nested
        return None


class ServerTable:
    """The servers of one listen address, found by name.

    is_tls: clients speak TLS there. is_proxied: the PROXY protocol comes before it.
    """

    __slots__ = ("_exact", "_leading", "_regexes", "_trailing", "default", "is_proxied", "is_tls")

    def __init__(
        self,
        servers: Iterable[tuple[Server, bool]],
        *,
        is_tls: bool = False,
        is_proxied: bool = False,
    ) -> None:
        """servers: in the file's order, each with whether it is the `default_server`."""
        self.is_tls = is_tls
        self.is_proxied = is_proxied
        self._exact: dict[str, Server] = {}
        self._leading: dict[str, Server] = {}
        self._trailing: dict[str, Server] = {}
        self._regexes: list[tuple[Regex, Server]] = []
        chosen: Server | None = None
        first: Server | None = None
        for server, is_default in servers:
            first = first or server
            chosen = server if is_default else chosen
            self._add_names(server)
        assert first is not None
        self.default = chosen or first

    def find(self, host: str) -> tuple[Server, Captures]:
        """Return the server for a Host in lower case, "" where the request has none."""
        return self.find_named(host) or (self.default, NOTHING_CAPTURED)

    def find_named(self, host: str) -> tuple[Server, Captures] | None:
        """Return the server that has a name, None where no server has it."""
        server = self._exact.get(host) or self._find_wildcard(host)
        if server is not None:
            return server, NOTHING_CAPTURED
        for regex, matched in self._regexes:
            values = regex.search(host) if host else None
            if values is not None:
                return matched, Captures(values, regex.names)
        return None

    def _add_names(self, server: Server) -> None:
        for name in server.names:
            match name.kind:
                case NameKind.EXACT:
                    self._exact.setdefault(name.pattern, server)
                case NameKind.LEADING_WILDCARD:
                    self._leading.setdefault(name.pattern.removeprefix("*"), server)
                case NameKind.TRAILING_WILDCARD:
                    self._trailing.setdefault(name.pattern.removesuffix("*"), server)
                case NameKind.REGEX:
                    assert name.regex is not None
                    self._regexes.append((name.regex, server))

    def _find_wildcard(self, host: str) -> Server | None:
        """Return the longest leading wildcard's server, or else the longest trailing one's."""
        labels = host.split(".")
        if self._leading:
            for start in range(1, len(labels)):
                server = self._leading.get("." + ".".join(labels[start:]))
                if server is not None:
                    return server
        if self._trailing:
            for end in range(len(labels) - 1, 0, -1):
                server = self._trailing.get(".".join(labels[:end]) + ".")
                if server is not None:
                    return server
        return None


class Router:
    """All tables of one configuration."""

    __slots__ = ("_locations", "_servers", "addresses")

    def __init__(self, config: Config) -> None:
        groups: dict[ListenAddress, list[tuple[Server, bool]]] = {}
        tls_addresses: set[ListenAddress] = set()
        proxied_addresses: set[ListenAddress] = set()
        for server in config.servers:
            for listen in server.listens:
                address = (listen.unix, 0) if listen.unix else (listen.host, listen.port)
                groups.setdefault(address, []).append((server, listen.is_default_server))
                if listen.ssl:
                    tls_addresses.add(address)
                if listen.proxy_protocol:
                    proxied_addresses.add(address)
        self._servers = {
            address: ServerTable(
                servers,
                is_tls=address in tls_addresses,
                is_proxied=address in proxied_addresses,
            )
            for address, servers in groups.items()
        }
        self._locations = {id(server): LocationTable(server.locations) for server in config.servers}
        self.addresses = tuple(groups)

    def servers_at(self, local: ListenAddress, bound: ListenAddress) -> ServerTable:
        """Return the servers for a connection that reached local through a socket at bound.

        One socket at 0.0.0.0 serves the addresses of that port that have servers of their own.
        """
        return self._servers.get(local) or self._servers[bound]

    def locations_of(self, server: Server) -> LocationTable:
        """Return the locations of a server of this configuration."""
        return self._locations[id(server)]

    def addresses_to_bind(self) -> list[ListenAddress]:
        """Return the addresses to open a socket on: none that a wildcard of its port covers."""
        ports = {port for host, port in self.addresses if host == WILDCARDS[0]}
        return [
            (host, port)
            for host, port in self.addresses
            if port not in ports or host in WILDCARDS or ":" in host or host.startswith("/")
        ]

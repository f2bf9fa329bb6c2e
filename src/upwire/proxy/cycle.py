"""A configuration in use: its tables, its upstreams, its open logs. nginx calls it a cycle.

A reload makes a new one and swaps one reference; requests in flight keep theirs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from upwire.conf.model import (
    AccessLog,
    Config,
    ErrorLog,
    Location,
    LocationSettings,
    Peer,
    ProxyPass,
    Upstream,
)
from upwire.conf.model import Resolver as ResolverSettings
from upwire.conf.model.types.logs import OpenLogFileCache
from upwire.conf.variables import Template
from upwire.errors import ConfigError, Problem
from upwire.proxy.access_log import AccessLogger
from upwire.proxy.error_log import ErrorLogger
from upwire.proxy.limit_zones import open_limit_zones
from upwire.proxy.live_peers import NAMES_OCTETS, NAMES_RECORD, LivePeers
from upwire.proxy.log_file import STDERR, STDOUT, LogFiles
from upwire.proxy.open_log_files import OpenLogFiles
from upwire.proxy.privileges import Credentials
from upwire.proxy.resolver import Resolver, open_resolvers
from upwire.proxy.route import Router
from upwire.proxy.status import Counters
from upwire.proxy.tls.contexts import Contexts, make_client_context, make_server_context
from upwire.proxy.tls.sessions import UpstreamSessions
from upwire.proxy.trusted_hosts import resolve_trusted
from upwire.proxy.upstream import (
    SHARED_RECORD,
    PeerAddress,
    PeerState,
    Sharing,
    Upstreams,
)
from upwire.proxy.zone import Zones

if TYPE_CHECKING:
    from upwire.proxy.exchange import Course
    from upwire.proxy.filters import Joins
    from upwire.proxy.variables import Reader

Resolve = Callable[[str], Sequence[str]]
"""A host name to its literal addresses; OSError where there are none."""

_DEFAULT_ACCESS_LOG = "logs/access.log"

_DEFAULT_LEVEL = "warn"
"""Of the log that no `error_log` names: a timeout that ends a tunnel shall be seen."""


@dataclass(frozen=True, slots=True)
class TunnelOptions:
    """What is asked of every tunnel on the command line; nginx has no directives for it.

    message_limit_octets: how long a message may be, as it is on the wire. ping_interval_s: after
    how long without an octet both sides get a Ping. None: no limit, and never. spin_s: how long to
    watch the tunnels for more before sleeping.
    """

    message_limit_octets: int | None = None
    ping_interval_s: float | None = None
    spin_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a cycle takes from outside of its file.

    prefix: the folder that relative names are below. resolve: how names become addresses.
    zones: the memory that its limits and upstreams share with other processes and the next cycle.
    error_log: the file to write to where the configuration names none; None: standard error.
    """

    prefix: str
    resolve: Resolve
    counters: Counters
    zones: Zones = field(default_factory=Zones)
    error_log: str | None = None
    clock: Callable[[], float] = time.monotonic
    tunnel_options: TunnelOptions = TunnelOptions()


class Cycle:
    """A configuration with everything that is needed to answer requests by it."""

    __slots__ = (
        "_access_loggers",
        "_begun_s",
        "_error_loggers",
        "_is_retired",
        "_live_peers",
        "_open_log_files",
        "_resolvers",
        "_users",
        "clock",
        "config",
        "counters",
        "courses",
        "files",
        "joins",
        "limit_zones",
        "log",
        "prefix",
        "readers",
        "resolve",
        "router",
        "server_contexts",
        "trusted_hosts",
        "tunnel_options",
        "upstream_contexts",
        "upstream_sessions",
        "upstreams",
        "zones",
    )

    def __init__(self, config: Config, around: Surroundings) -> None:
        """Open the logs and resolve the names; raises ConfigError with every fault found."""
        self.config = config
        self.prefix = around.prefix
        self.resolve = around.resolve
        self.counters = around.counters
        self.zones = around.zones
        self.limit_zones = open_limit_zones(all_settings(config), around.zones)
        self.clock = around.clock
        self.tunnel_options = around.tunnel_options
        self.files = LogFiles(around.prefix)
        self._access_loggers: dict[int, AccessLogger] = {}
        self._open_log_files: dict[OpenLogFileCache, OpenLogFiles] = {}
        self._error_loggers: dict[int, ErrorLogger] = {}
        self.upstreams: dict[str, Upstreams] = {}
        self._live_peers: list[LivePeers] = []
        self._begun_s = self.clock()
        self._users = 0
        self._is_retired = False
        self.router = Router(config)
        self.courses: dict[int, Course] = {}
        """By the id() of their settings: the handlers that requests have to meet."""
        self.joins: dict[int, Joins] = {}
        """Likewise the filters that responses have to meet."""
        self.readers: dict[str, Reader] = {}
        """Who reads the variables, once one was asked for."""
        try:
            default = ErrorLog(around.error_log or STDERR, _DEFAULT_LEVEL)
            defaults = config.main.error_logs or (default,)
            self.log = ErrorLogger(defaults, self.files)
            self.files.report = self.log.write
            for settings in all_settings(config):
                self._open_logs(settings, defaults)
            self._resolvers = open_resolvers(all_resolvers(config), self.resolve, self.clock)
            self._resolve_upstreams()
            self.trusted_hosts = resolve_trusted(all_settings(config), self.resolve)
            self.server_contexts = Contexts(
                (server.ssl for server in config.servers if server.ssl.certificates),
                partial(make_server_context, log=self.log.write),
                self.prefix,
            )
            self.upstream_sessions = UpstreamSessions()
            self.upstream_contexts = Contexts(
                (
                    settings.proxy.ssl
                    for settings in all_settings(config)
                    if settings.proxy.pass_ is not None and settings.proxy.pass_.scheme == "https"
                ),
                make_client_context,
                self.prefix,
            )
        except ConfigError:
            self.files.close()
            raise

    def error_logger(self, settings: LocationSettings) -> ErrorLogger:
        """Return the error log that holds at that level."""
        return self._error_loggers[id(settings)]

    def access_logger(self, settings: LocationSettings) -> AccessLogger:
        """Return the access log that holds at that level."""
        return self._access_loggers[id(settings)]

    def resolver(self, settings: ResolverSettings) -> Resolver:
        """Return the name servers of a `resolver`; what they said is known wherever it stands."""
        return self._resolvers[settings]

    def upstreams_of(self, passed: ProxyPass) -> Upstreams:
        """Return the peers of a `proxy_pass` that has no variables."""
        return self.upstreams[upstream_key(passed)]

    def upstreams_at(self, name: str, addresses: Iterable[str], port: int) -> Upstreams:
        """Return the addresses of a host that variables gave, as the peers of one request."""
        peer = Peer(name, port, self.config.servers[0].position)
        states = [PeerState(peer, PeerAddress(address, port)) for address in addresses]
        return Upstreams(name, states, keepalive=None, clock=self.clock)

    def upstreams_on(self, path: str) -> Upstreams:
        """Return the UNIX-domain socket that variables gave, as the peer of one request."""
        peer = Peer("", 0, self.config.servers[0].position, path)
        states = [PeerState(peer, PeerAddress("", 0, path))]
        return Upstreams(f"unix:{path}", states, keepalive=None, clock=self.clock)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the cycle open while a request goes by it."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Keep the cycle open until `leave()`."""
        self._users += 1

    def leave(self) -> None:
        """Take one `enter()` back."""
        self._users -= 1
        if self._is_retired and not self._users:
            self.close()

    @property
    def is_closed(self) -> bool:
        """Whether nobody goes by it any more."""
        return self._is_retired and not self._users

    def retire(self) -> None:
        """Close once the requests in flight have ended."""
        self._is_retired = True
        if not self._users:
            self.close()

    def temp_paths(self) -> set[str]:
        """Return the folders that temporary files go to."""
        return {
            os.path.join(self.prefix, settings.client_body.temp_path)
            for settings in all_settings(self.config)
            if settings.client_body.temp_path is not None
        }

    def tick(self) -> None:
        """Do what is due every second: drop what is kept too long."""
        for upstreams in self.upstreams.values():
            if upstreams.idle is not None:
                upstreams.idle.drop_expired()
        for live in self._live_peers:
            live.start()

    def close_idle(self) -> None:
        """Close the idle connections to upstreams; their loop has to run."""
        for upstreams in self.upstreams.values():
            if upstreams.idle is not None:
                upstreams.idle.close()

    @staticmethod
    def wall_clock() -> float:
        """Return the seconds since 1970."""
        return time.time()

    def close(self) -> None:
        """Close the logs and the idle connections; requests still in flight log no more."""
        self.close_idle()
        for live in self._live_peers:
            live.close()
        for open_files in self._open_log_files.values():
            open_files.close()
        self.files.close()

    def reopen_logs(self, owner: Credentials | None) -> list[Problem]:
        """Open the logs anew, after they were rotated; returns which could not be.

        owner: whose they are to be, if another process goes on with them.
        """
        for open_files in self._open_log_files.values():
            open_files.close()
        return self.files.reopen(owner)

    def _open_logs(self, settings: LocationSettings, defaults: tuple[ErrorLog, ...]) -> None:
        logs = settings.error_logs or defaults
        self._error_loggers[id(settings)] = ErrorLogger(logs, self.files)
        self._access_loggers[id(settings)] = AccessLogger(
            [self._at_home(log) for log in settings.access_logs],
            self.files,
            self._open_files(settings.open_log_file_cache),
        )

    def _open_files(self, limits: OpenLogFileCache) -> OpenLogFiles:
        if limits not in self._open_log_files:
            self._open_log_files[limits] = OpenLogFiles(limits, self.log.write)
        return self._open_log_files[limits]

    def _at_home(self, log: AccessLog) -> AccessLog:
        """Return log, on standard output where it is nginx's default and that has no folder.

        nginx's packages make the folder; a lone nginx.conf in some folder shall start all the same.
        """
        path = os.path.join(self.prefix, log.path.text)
        if log.path.text == _DEFAULT_ACCESS_LOG and not os.path.isdir(os.path.dirname(path)):
            return replace(log, path=Template.literal(STDOUT))
        return log

    def _resolve_upstreams(self) -> None:
        problems: list[Problem] = []
        for upstream in self.config.upstreams.values():
            states = [
                PeerState(peer, address)
                for peer in upstream.peers
                if not peer.resolve
                for address in self._addresses(peer, problems)
            ]
            self._add_upstreams(upstream.name, states, upstream)
            self._follow_names(upstream, states)
        for passed in all_passes(self.config):
            key = upstream_key(passed)
            if passed.template is None and key not in self.upstreams:
                peer = Peer(passed.host, passed.port, passed.position, passed.unix)
                states = [PeerState(peer, address) for address in self._addresses(peer, problems)]
                self._add_upstreams(key, states, None)
        if problems:
            raise ConfigError(problems)

    def _follow_names(self, upstream: Upstream, fixed: Sequence[PeerState]) -> None:
        """Make ready to resolve the names of an upstream that has `server ... resolve`."""
        if upstream.resolver is None or upstream.zone is None:
            return
        zone = self.zones.open(f"{upstream.zone.name} names", NAMES_OCTETS, NAMES_RECORD)
        live = LivePeers(
            upstream,
            self.upstreams[upstream.name],
            fixed,
            resolver=self.resolver(upstream.resolver),
            zone=zone,
            log=self.log,
        )
        self._live_peers.append(live)

    def _add_upstreams(
        self, key: str, states: Sequence[PeerState], upstream: Upstream | None
    ) -> None:
        if upstream is None:
            self.upstreams[key] = Upstreams(key, states, keepalive=None, clock=self.clock)
            return
        self.upstreams[key] = Upstreams(
            key,
            states,
            keepalive=upstream.keepalive,
            clock=self.clock,
            balance=upstream.balance,
            sharing=self._sharing(upstream),
        )

    def _sharing(self, upstream: Upstream) -> Sharing | None:
        """Return the state of peers that the workers of this cycle share; None without a zone."""
        if upstream.zone is None:
            return None
        octets = upstream.zone.octets or next(
            other.zone.octets
            for other in self.config.upstreams.values()
            if other.zone and other.zone.name == upstream.zone.name and other.zone.octets
        )
        zone = self.zones.open(upstream.zone.name, octets, SHARED_RECORD)
        return Sharing(zone, f"{self._begun_s}\0{upstream.name}")

    def _addresses(self, peer: Peer, problems: list[Problem]) -> Iterator[PeerAddress]:
        """Yield each address of a peer; a name without one is a problem, in nginx's words."""
        if peer.unix is not None:
            yield PeerAddress("", 0, peer.unix)
            return
        try:
            for address in self.resolve(peer.host):
                yield PeerAddress(address, peer.port)
        except OSError:
            place = peer.position
            message = f'host not found in upstream "{peer.host}"'
            mend = f"--add-host {peer.host}=ADDRESS makes the name known"
            problems.append(Problem(message, place.file, place.line, place.column, mend=mend))


def upstream_key(passed: ProxyPass) -> str:
    """Return the name under which a `proxy_pass`'s peers are kept: the block's, or the address."""
    if passed.upstream is not None:
        return passed.upstream
    if passed.unix is not None:
        return f"unix:{passed.unix}"
    return f"{passed.host}:{passed.port}"


def all_settings(config: Config) -> Iterator[LocationSettings]:
    """Yield the settings of every server and location."""
    for server in config.servers:
        yield server.settings
        for location in _all_locations(server.locations):
            yield from location.all_settings()


def all_resolvers(config: Config) -> Iterator[ResolverSettings]:
    """Yield the `resolver` of every level and upstream that has one."""
    levels: Iterator[LocationSettings | Upstream] = chain(
        all_settings(config), config.upstreams.values()
    )
    for level in levels:
        if level.resolver is not None:
            yield level.resolver


def all_passes(config: Config) -> Iterator[ProxyPass]:
    """Yield every `proxy_pass`."""
    for settings in all_settings(config):
        if settings.proxy.pass_ is not None:
            yield settings.proxy.pass_


def resolve_with(hosts: Mapping[str, str], getaddrinfo: Resolve) -> Resolve:
    """Return a resolver that looks into hosts (`--add-host`) first."""

    def resolve(host: str) -> Sequence[str]:
        return getaddrinfo(hosts.get(host.lower(), host))

    return resolve


def _all_locations(locations: Iterable[Location]) -> Iterator[Location]:
    for location in locations:
        yield location
        yield from _all_locations(location.locations)

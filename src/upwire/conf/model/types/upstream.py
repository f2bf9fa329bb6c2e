"""An `upstream` and its peers."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.model.types.resolver import Resolver
from upwire.conf.syntax import Position
from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class Peer:
    """One `server` of an `upstream`. host may be a name, which the proxy resolves at start.

    max_conns 0 means no limit. name is the address as written, which `hash consistent` is about;
    position is its place, for "host not found in upstream".
    resolve: the name is asked for again as its records expire; service: by its SRV records.
    drain: only requests that `sticky` binds to the peer are sent there; route: its name for that.
    """

    host: str
    port: int
    position: Position
    unix: str | None = None
    weight: int = 1
    max_conns: int = 0
    max_fails: int = 1
    fail_timeout_s: float = 10.0
    backup: bool = False
    down: bool = False
    drain: bool = False
    resolve: bool = False
    service: str = ""
    route: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """`keepalive` of an `upstream`: how many idle connections a worker keeps, and how long.

    is_local: a connection serves the location alone that opened it.
    """

    connections: int
    requests: int = 1000
    time_s: float = 3600.0
    timeout_s: float = 60.0
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """How a peer is chosen. method: the directive, or "round_robin" where there is none.

    key and is_consistent belong to `hash`, is_of_two to `random`.
    """

    method: str = "round_robin"
    key: Template | None = None
    is_consistent: bool = False
    is_of_two: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamZone:
    """`zone` of an `upstream`: memory that the workers share; several upstreams may name one."""

    name: str
    octets: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """An `upstream`. resolver is for the peers that have `resolve`; None where none has."""

    name: str
    peers: tuple[Peer, ...]
    position: Position
    keepalive: Keepalive | None = None
    balance: Balance = Balance()
    zone: UpstreamZone | None = None
    resolver: Resolver | None = None
    resolver_timeout_s: float = 30.0

"""An `upstream` and its peers."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.syntax import Position


@dataclass(frozen=True, slots=True)
class Peer:
    """One `server` of an `upstream`. host may be a name, which the proxy resolves at start.

    max_conns 0 means no limit. position is the address's, for "host not found in upstream".
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
    resolve: bool = False


@dataclass(frozen=True, slots=True)
class Keepalive:
    """`keepalive` of an `upstream`: how many idle connections a worker keeps, and how long."""

    connections: int
    requests: int = 1000
    time_s: float = 3600.0
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """An `upstream`. balance is "round_robin" or the directive that chose another method."""

    name: str
    peers: tuple[Peer, ...]
    position: Position
    keepalive: Keepalive | None = None
    balance: str = "round_robin"

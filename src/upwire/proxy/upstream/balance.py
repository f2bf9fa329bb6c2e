"""Which peer gets a request: nginx's methods, with nginx's distribution.

A Balancer serves one request. It returns None where no peer of the group can take it, and the
backups are asked then. A method that misses more than 20 times leaves the choice to round robin.
"""

from __future__ import annotations

import ipaddress
import random
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol
from zlib import crc32

from upwire.proxy.upstream.peers import PeerGroup, PeerState

Tried = Collection[PeerState]

_MISSES_MAX = 20
_POINTS_PER_WEIGHT = 160
_IP_HASH_SEED = 89
_IP_HASH_MODULUS = 6271
_NO_ADDRESS = bytes(3)  # of clients on UNIX-domain sockets


class Balancer(Protocol):
    """Chooses peers for one request, one after the other where they fail."""

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return a peer that was not tried yet."""


class RoundRobin:
    """Smooth weighted round robin.

    Each choice adds every peer's weight to its score, takes the highest, and lowers that by the
    sum, so that a peer of weight 5 among 1 and 1 never gets five requests in a row.
    """

    __slots__ = ()

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return the next peer. For a single one neither failures nor tries count."""
        if group.is_single:
            (state,) = group.peers
            peer = state.peer
            is_full = peer.max_conns and state.connections >= peer.max_conns
            return None if peer.down or peer.drain or is_full else state
        return _take_turn(_free_peers(group.peers, tried, now_s))


class LeastConnections:
    """`least_conn`: fewest connections for its weight, round robin among equals."""

    __slots__ = ()

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return the peer that is least busy."""
        if group.is_single:
            return ROUND_ROBIN.choose(group, tried, now_s)
        least: list[PeerState] = []
        for state in _free_peers(group.peers, tried, now_s):
            order = _compare_load(state, least[0]) if least else -1
            if order < 0:
                least = [state]
            elif order == 0:
                least.append(state)
        return _take_turn(least) if len(least) > 1 else next(iter(least), None)


class Hash:
    """`hash`: the CRC-32 of a key, as Cache::Memcached spreads keys."""

    __slots__ = ("_hash", "_key", "_misses", "_rehash")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._hash = 0
        self._rehash = 0
        self._misses = 0

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return the key's peer, the next that the rehashed key gives where that cannot take."""
        if len(group.peers) < 2 or not self._key:
            return ROUND_ROBIN.choose(group, tried, now_s)
        while self._misses <= _MISSES_MAX:
            prefix = str(self._rehash).encode() if self._rehash else b""
            self._hash += (crc32(prefix + self._key) >> 16) & 0x7FFF
            self._rehash += 1
            state = group.weighted(self._hash % group.total_weight)
            if state not in tried and state.can_take(now_s):
                return state
            self._misses += 1
        return ROUND_ROBIN.choose(group, tried, now_s)


class Ring:
    """The points of `hash consistent`, as Cache::Memcached::Fast has them: 160 for each weight."""

    __slots__ = ("_hashes", "_names")

    def __init__(self, peers: Iterable[PeerState]) -> None:
        points: dict[int, str] = {}
        for state in peers:
            name = state.peer.name
            for point in _points_of(name, state.peer.weight):
                points.setdefault(point, name)
        self._hashes = sorted(points)
        self._names = [points[point] for point in self._hashes]

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, key: bytes) -> int:
        """Return the place of the first point at or behind the key's hash."""
        return bisect_left(self._hashes, crc32(key))

    def name_at(self, place: int) -> str:
        """Return the `server` whose point is at a place; behind the last comes the first."""
        return self._names[place % len(self._names)]


class ConsistentHash:
    """`hash consistent`: the ketama ring, of which few keys move where peers come and go."""

    __slots__ = ("_key", "_misses", "_place", "_ring")

    def __init__(self, key: bytes, ring: Ring) -> None:
        self._key = key
        self._ring = ring
        self._place = ring.find(key)
        self._misses = 0

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return an address of the key's server, of the next on the ring where none can take."""
        if group.is_single or not self._key:
            return ROUND_ROBIN.choose(group, tried, now_s)
        while len(self._ring) and self._misses <= _MISSES_MAX:
            name = self._ring.name_at(self._place)
            named = [state for state in group.peers if state.peer.name == name]
            state = _take_turn(_free_peers(named, tried, now_s))
            if state is not None:
                return state
            self._place += 1
            self._misses += 1
        return ROUND_ROBIN.choose(group, tried, now_s)


class IpHash:
    """`ip_hash`: the first three octets of an IPv4 address, or a whole IPv6 one."""

    __slots__ = ("_hash", "_misses", "_octets")

    def __init__(self, address: str) -> None:
        """address: the client's; "" or a path where it has none."""
        try:
            packed = ipaddress.ip_address(address).packed
        except ValueError:
            packed = _NO_ADDRESS
        self._octets = packed[:3] if len(packed) == 4 else packed
        self._hash = _IP_HASH_SEED
        self._misses = 0

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return the address's peer, the next by the same hash where that cannot take."""
        if len(group.peers) < 2:
            return ROUND_ROBIN.choose(group, tried, now_s)
        while self._misses <= _MISSES_MAX:
            for octet in self._octets:
                self._hash = (self._hash * 113 + octet) % _IP_HASH_MODULUS
            state = group.weighted(self._hash % group.total_weight)
            if state not in tried and state.can_take(now_s):
                return state
            self._misses += 1
        return ROUND_ROBIN.choose(group, tried, now_s)


class Random:
    """`random`: by weight; with `two`, the less busy of two."""

    __slots__ = ("_is_of_two", "_misses")

    def __init__(self, *, is_of_two: bool) -> None:
        self._is_of_two = is_of_two
        self._misses = 0

    def choose(self, group: PeerGroup, tried: Tried, now_s: float) -> PeerState | None:
        """Return a peer drawn at random."""
        if len(group.peers) < 2:
            return ROUND_ROBIN.choose(group, tried, now_s)
        starts = list(accumulate((state.peer.weight for state in group.peers), initial=0))
        first: PeerState | None = None
        while self._misses <= _MISSES_MAX:
            drawn = random.randrange(group.total_weight)
            state = group.peers[bisect_right(starts, drawn) - 1]
            if state is not first and state not in tried and state.can_take(now_s):
                if not self._is_of_two:
                    return state
                if first is not None:
                    return first if _compare_load(state, first) > 0 else state
                first = state
            self._misses += 1
        return ROUND_ROBIN.choose(group, tried, now_s)


ROUND_ROBIN = RoundRobin()
LEAST_CONNECTIONS = LeastConnections()


def _free_peers(peers: Sequence[PeerState], tried: Tried, now_s: float) -> Iterator[PeerState]:
    return (state for state in peers if state not in tried and state.can_take(now_s))


def _take_turn(peers: Iterable[PeerState]) -> PeerState | None:
    """Return the peer whose turn it is among peers; None where there are none."""
    best: PeerState | None = None
    total = 0
    for state in peers:
        state.current_weight += state.effective_weight
        total += state.effective_weight
        if state.effective_weight < state.peer.weight:
            state.effective_weight += 1
        if best is None or state.current_weight > best.current_weight:
            best = state
    if best is not None:
        best.current_weight -= total
    return best


def _compare_load(one: PeerState, two: PeerState) -> int:
    """Compare connections for each unit of weight; below 0 where one has fewer."""
    return one.connections * two.peer.weight - two.connections * one.peer.weight


def _points_of(name: str, weight: int) -> Iterator[int]:
    """Yield a server's points: crc32(HOST \\0 PORT PREVIOUS)."""
    host, port = _split(name)
    start = crc32(host.encode("latin-1") + b"\0" + port.encode("latin-1"))
    previous = 0
    for _ in range(weight * _POINTS_PER_WEIGHT):
        previous = crc32(previous.to_bytes(4, "little"), start)
        yield previous


def _split(name: str) -> tuple[str, str]:
    """Split a server's address as written at its port; "" where it has none."""
    if name[:5].lower() == "unix:":
        return name[5:], ""
    host, colon, port = name.rpartition(":")
    if colon and (port == "" or (port.isascii() and port.isdigit())):
        return host, port
    return name, ""

"""Peers of an upstream whose names are resolved while the proxy runs: `server ... resolve`.

Each process asks for itself. What it found is kept in the upstream's zone too, so that the next
configuration begins with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from upwire.conf.model import Peer, Upstream
from upwire.proxy.error_log import ErrorLogger
from upwire.proxy.resolver import NotResolved, Resolver, Service
from upwire.proxy.upstream import PeerAddress, PeerState, Upstreams
from upwire.proxy.zone import Zone

NAMES_OCTETS_MAX = 2048

NAMES_RECORD = f"={NAMES_OCTETS_MAX}s"
"""The addresses of one name, with spaces between them, in a zone of NAMES_OCTETS."""

NAMES_OCTETS = 256 * 1024

RETRY_S = 1.0
"""How long to wait at least before a name is asked for again."""

ABSENT_S = 10.0
"""How long to believe that a name has no address."""


class LivePeers:
    """Keeps the peers of one upstream as the name servers say.

    fixed: those whose addresses do not change, by their `server`.
    """

    __slots__ = (
        "_log",
        "_named",
        "_peers",
        "_resolver",
        "_tasks",
        "_upstream",
        "_upstreams",
        "_zone",
    )

    def __init__(
        self,
        upstream: Upstream,
        upstreams: Upstreams,
        fixed: Sequence[PeerState],
        *,
        resolver: Resolver,
        zone: Zone,
        log: ErrorLogger,
    ) -> None:
        self._upstream = upstream
        self._upstreams = upstreams
        self._resolver = resolver
        self._zone = zone
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []
        self._named = [peer for peer in upstream.peers if peer.resolve]
        self._peers: dict[Peer, list[PeerState]] = {peer: [] for peer in upstream.peers}
        for state in fixed:
            self._peers[state.peer].append(state)
        for peer in self._named:
            self._put(peer, [(peer, address) for address in self._remembered(peer)])

    def start(self) -> None:
        """Begin to ask, once; it goes on until `close()`."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow(peer)) for peer in self._named]

    def close(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()

    async def _follow(self, peer: Peer) -> None:
        while True:
            wait_s = await self._refresh(peer)
            await asyncio.sleep(wait_s)

    async def _refresh(self, peer: Peer) -> float:
        """Put what a name means now in the place of what it meant; return when to ask again."""
        timeout_s = self._upstream.resolver_timeout_s
        try:
            if peer.service:
                name = _service_name(peer)
                services, valid_until_s = await self._resolver.resolve_service(
                    name, timeout_s=timeout_s
                )
                self._put(peer, _service_peers(peer, services))
            else:
                found = await self._resolver.resolve(peer.host, timeout_s=timeout_s)
                addresses, valid_until_s = sorted(found.addresses), found.valid_until_s
                self._remember(peer, addresses)
                self._put(peer, [(peer, address) for address in addresses])
        except NotResolved as error:
            self._log.write("error", str(error))
            if not error.is_absent:
                return max(timeout_s, RETRY_S)
            self._remember(peer, [])
            self._put(peer, [])
            return self._resolver.valid_s or ABSENT_S
        return max(valid_until_s - self._upstreams.clock(), RETRY_S)

    def _put(self, peer: Peer, found: Sequence[tuple[Peer, str]]) -> None:
        """Use the addresses of one name; an address that stays keeps what is known of it."""
        known = {(state.peer, state.address): state for state in self._peers[peer]}
        states = []
        for one, host in found:
            address = PeerAddress(host, one.port)
            states.append(known.get((one, address)) or PeerState(one, address))
        if states != self._peers[peer]:
            self._peers[peer] = states
            self._upstreams.use_peers([state for one in self._peers.values() for state in one])

    def _remembered(self, peer: Peer) -> list[str]:
        with self._zone.locked():
            values = self._zone.get(self._key(peer))
        if values is None:
            return []
        (octets,) = values
        assert isinstance(octets, bytes)
        return octets.rstrip(b"\0").decode("ascii").split()

    def _remember(self, peer: Peer, addresses: Sequence[str]) -> None:
        text = " ".join(addresses)
        while len(text) > NAMES_OCTETS_MAX:  # the rest is asked for anew
            text = text.rpartition(" ")[0]
        with self._zone.locked():
            self._zone.put(self._key(peer), text.encode("ascii"))

    def _key(self, peer: Peer) -> bytes:
        return f"{self._upstream.name}\0{peer.host}".encode("latin-1")


def _service_name(peer: Peer) -> str:
    """Return the name whose SRV records to ask for (RFC 2782), as nginx makes it of `service=`."""
    if "." in peer.service:
        return f"{peer.service}.{peer.host}"
    return f"_{peer.service}._tcp.{peer.host}"


def _service_peers(peer: Peer, services: Sequence[Service]) -> list[tuple[Peer, str]]:
    """Return the peers of a service: those of the best priority serve, the others stand in."""
    best = min(service.priority for service in services)
    found: list[tuple[Peer, str]] = []
    for service in services:
        one = replace(
            peer,
            port=service.port,
            weight=service.weight or peer.weight,
            backup=peer.backup or service.priority > best,
        )
        found += [(one, address) for address in sorted(service.addresses)]
    return found

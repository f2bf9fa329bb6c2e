"""`zone` of an upstream: the workers know of each other's connections and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from upwire.proxy.upstream.peers import PeerState
from upwire.proxy.zone import Zone

SHARED_RECORD = "=qqqqqdd"
"""Current and effective weight, connections, requests, fails; accessed and checked, in seconds."""

_Values = tuple[int, int, int, int, int, float, float]


class Sharing:
    """The state of an upstream's peers, in a zone.

    scope keeps the records of one configuration's upstream apart from all others in the zone: a
    reload begins anew, as nginx does.
    """

    __slots__ = ("_keys", "_scope", "_zone")

    def __init__(self, zone: Zone, scope: str) -> None:
        self._zone = zone
        self._scope = scope
        self._keys: dict[PeerState, bytes] = {}

    def use_peers(self, peers: Sequence[PeerState]) -> None:
        """Name the peers, of which several may have one address."""
        seen: Counter[str] = Counter()
        self._keys = {}
        for state in peers:
            name = f"{state.peer.name}\0{state.address}"
            self._keys[state] = f"{self._scope}\0{name}\0{seen[name]}".encode("latin-1")
            seen[name] += 1

    @contextmanager
    def exclusive(self, held: PeerState | None = None) -> Iterator[None]:
        """Bring the peers up to date, keep the others out, and write down what changes.

        held: a peer that a request has in hand; names may have changed since.
        """
        keys = dict(self._keys)
        if held is not None and held not in keys:
            yield
            return
        with self._zone.locked():
            before = {state: self._load(state, key) for state, key in keys.items()}
            yield
            for state, key in keys.items():
                values = _values_of(state)
                if values != before[state]:
                    self._zone.put(key, *values)

    def _load(self, state: PeerState, key: bytes) -> _Values | None:
        values = self._zone.get(key)
        if values is None:
            return None
        found = cast("_Values", values)
        state.current_weight, state.effective_weight = found[0], found[1]
        state.connections, state.requests, state.fails = found[2], found[3], found[4]
        state.accessed_s, state.checked_s = found[5], found[6]
        return found


def _values_of(state: PeerState) -> _Values:
    return (
        state.current_weight,
        state.effective_weight,
        state.connections,
        state.requests,
        state.fails,
        state.accessed_s,
        state.checked_s,
    )

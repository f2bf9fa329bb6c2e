"""The sessions of TLS that can be resumed with upstreams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from OpenSSL import SSL

SESSIONS_MAX = 256
"""How many peers' sessions are remembered, those of the last ones used."""


class UpstreamSessions:
    """The last connection to each peer, whose session the next one may resume.

    A session of TLS 1.3 comes after the handshake, so the connection is asked when it is wanted.
    """

    __slots__ = ("_connections",)

    def __init__(self) -> None:
        self._connections: OrderedDict[Hashable, SSL.Connection] = OrderedDict()

    def __len__(self) -> int:
        return len(self._connections)

    def resume(self, peer: Hashable, connection: SSL.Connection) -> None:
        """Let a connection that is about to begin go on with the last session, if there is one."""
        last = self._connections.get(peer)
        session = last.get_session() if last is not None else None
        if session is not None:
            connection.set_session(session)

    def remember(self, peer: Hashable, connection: SSL.Connection) -> None:
        """Keep a connection whose peer is who it should be."""
        self._connections[peer] = connection
        self._connections.move_to_end(peer)
        if len(self._connections) > SESSIONS_MAX:
            self._connections.popitem(last=False)

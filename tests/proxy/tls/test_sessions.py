from __future__ import annotations

import asyncio

import pytest
from OpenSSL import SSL

from kit.loop import in_loop
from kit.memory_stream import memory_pair
from kit.tls_files import make_self_signed, server_connection
from upwire.net.tls.transport import start_tls
from upwire.proxy.tls import sessions
from upwire.proxy.tls.sessions import UpstreamSessions
from upwire.wire.tls import is_resumption

SERVER = server_connection(make_self_signed("peer")).get_context()
CLIENT = SSL.Context(SSL.TLS_CLIENT_METHOD)


async def is_resumed(kept: UpstreamSessions, peer: str) -> bool:
    """Shake hands with a peer, remember it, and say whether a session went on."""
    client, server = SSL.Connection(CLIENT, None), SSL.Connection(SERVER, None)
    client.set_connect_state()
    server.set_accept_state()
    kept.resume(peer, client)
    lower = memory_pair()
    near, far = await asyncio.gather(
        start_tls(lower[0], client, timeout_s=5), start_tls(lower[1], server, timeout_s=5)
    )
    kept.remember(peer, client)
    streams = near.open(), far.open()
    streams[1].write(b"x")
    await streams[0].read(timeout_s=5)  # the tickets come before
    for stream in streams:
        stream.abort()
    return any(is_resumption(flight) for flight in far.take_flights())


@in_loop
async def test_the_last_session_of_each_peer_is_resumed() -> None:
    kept = UpstreamSessions()
    assert [await is_resumed(kept, peer) for peer in "abab"] == [False, False, True, True]


@in_loop
async def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 1)
    kept = UpstreamSessions()
    assert [await is_resumed(kept, peer) for peer in "aba"] == [False, False, False]
    assert len(kept) == 1

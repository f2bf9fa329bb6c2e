"""Two Streams with TLS between them, over two others."""

from __future__ import annotations

import asyncio

from kit.tls_files import client_connection, make_self_signed, server_connection
from upwire.net.stream import Stream
from upwire.net.tls.transport import RECORD_OCTETS, start_tls

IDENTITY = make_self_signed("localhost")
DEADLINE_S = 20.0


async def tls_streams(
    client: Stream, server: Stream, *, record_octets: int = RECORD_OCTETS
) -> tuple[Stream, Stream]:
    """Shake hands on two connected Streams. record_octets: how much a record of either carries."""
    near, far = await asyncio.gather(
        start_tls(client, client_connection(), timeout_s=DEADLINE_S, record_octets=record_octets),
        start_tls(
            server, server_connection(IDENTITY), timeout_s=DEADLINE_S, record_octets=record_octets
        ),
    )
    return near.open(), far.open()

"""A name server on 127.0.0.1, over UDP and TCP, that answers from a table."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Records = Mapping[str, str]
"""By "name TYPE": records with commas between them, or an error's name such as SERVFAIL."""


class NameServer:
    """Answers from records; queries holds each question. is_cut: UDP is too small for an answer."""

    def __init__(self, records: Records) -> None:
        self.records = dict(records)
        self.queries: list[str] = []
        self.is_cut = False
        self.is_silent = False
        self.port = 0
        self.ttl_s = 60

    def answer(self, octets: bytes, *, is_tcp: bool = False) -> bytes:
        """Return the answer to a query."""
        query = dns.message.from_wire(octets)
        (question,) = query.question
        kind = question.rdtype.name
        name = str(question.name).removesuffix(".")
        self.queries.append(f"{name} {kind}")
        response = dns.message.make_response(query)
        text = self.records.get(f"{name} {kind}", "") or self.records.get(f"{name} CNAME", "")
        if text.isupper() and text.isalpha():
            response.set_rcode(dns.rcode.from_text(text))
        elif self.is_cut and not is_tcp:
            response.flags |= dns.flags.TC
        elif text:
            found = kind if f"{name} {kind}" in self.records else "CNAME"
            response.answer.append(
                dns.rrset.from_text(question.name, self.ttl_s, "IN", found, *text.split(","))
            )
        return response.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, octets: bytes, peer: tuple[str, int]) -> None:
        assert self._transport is not None
        answer = self._server.answer(octets)
        if not self._server.is_silent:
            self._transport.sendto(b"noise", peer)
            self._transport.sendto(answer, peer)


@asynccontextmanager
async def name_server(records: Records) -> AsyncIterator[NameServer]:
    """Run a name server."""
    server = NameServer(records)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (octets,) = struct.unpack("!H", await reader.readexactly(2))
        answer = server.answer(await reader.readexactly(octets), is_tcp=True)
        writer.write(struct.pack("!H", len(answer)))
        await writer.drain()
        writer.write(answer)
        writer.close()

    tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(
        lambda: _Udp(server), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        udp.close()
        tcp.close()
        await tcp.wait_closed()

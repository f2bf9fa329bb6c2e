"""Questions to name servers."""

from __future__ import annotations

import asyncio
from typing import cast

import dns.flags
import dns.message
import pytest

from kit.loop import in_loop
from kit.name_server import name_server
from upwire.net.dns import ask, read_answer


@in_loop
async def test_an_answer_comes_over_udp() -> None:
    async with name_server({"a.test A": "10.0.0.1"}) as server:
        query = dns.message.make_query("a.test", "A")
        answer = await ask(query, "127.0.0.1", server.port, timeout_s=5)
    assert [str(record) for rrset in answer.answer for record in rrset] == ["10.0.0.1"]
    assert server.queries == ["a.test A"]


@in_loop
async def test_an_answer_that_is_too_long_comes_over_tcp() -> None:
    async with name_server({"a.test A": "10.0.0.1,10.0.0.2"}) as server:
        server.is_cut = True
        query = dns.message.make_query("a.test", "A")
        answer = await ask(query, "127.0.0.1", server.port, timeout_s=5)
    assert len(answer.answer) == 2
    assert server.queries == ["a.test A", "a.test A"]


@in_loop
async def test_a_silent_server_is_given_up() -> None:
    async with name_server({}) as server:
        server.is_silent = True
        with pytest.raises(TimeoutError):
            await ask(
                dns.message.make_query("a.test", "A"), "127.0.0.1", server.port, timeout_s=0.01
            )


@in_loop
async def test_nobody_listens() -> None:
    async with name_server({}) as server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        await ask(dns.message.make_query("a.test", "A"), "127.0.0.1", port, timeout_s=5)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [(b"\0", "closed the connection"), (b"\0\x05wrong", "answered another question")],
)
@in_loop
async def test_tcp_that_goes_wrong(octets: bytes, reason: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(octets)
        writer.close()

    async with name_server({}) as server:
        tcp = await asyncio.start_server(serve, "127.0.0.2", server.port)
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(_Cut, local_addr=("127.0.0.2", server.port))
        try:
            query = dns.message.make_query("a.test", "A")
            with pytest.raises(ConnectionError, match=reason):
                await ask(query, "127.0.0.2", server.port, timeout_s=5)
        finally:
            udp.close()
            tcp.close()
            await tcp.wait_closed()


class _Cut(asyncio.DatagramProtocol):
    """Says to each query that the answer does not fit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, octets: bytes, peer: tuple[str, int]) -> None:
        response = dns.message.make_response(dns.message.from_wire(octets))
        response.flags |= dns.flags.TC
        self._transport.sendto(response.to_wire(), peer)


def test_only_the_answer_to_the_question_counts() -> None:
    query = dns.message.make_query("a.test", "A")
    response = dns.message.make_response(query).to_wire()
    assert read_answer(query, response) is not None
    assert read_answer(query, response[:-1]) is None
    assert read_answer(query, b"") is None
    other = dns.message.make_query("b.test", "A")
    assert read_answer(query, dns.message.make_response(other).to_wire()) is None

"""One question to one name server: over UDP, or TCP where the answer is too long. RFC 1035."""

from __future__ import annotations

import asyncio
import struct

import dns.exception
import dns.flags
import dns.message

from upwire.errors import UpwireError
from upwire.net.dial import dial

_LENGTH = struct.Struct("!H")  # in front of each message over TCP (§4.2.2)


async def ask(
    query: dns.message.QueryMessage, host: str, port: int, *, timeout_s: float
) -> dns.message.Message:
    """Return the server's answer. Raises OSError, such as TimeoutError, or UpwireError for none."""
    octets = query.to_wire()
    async with asyncio.timeout(timeout_s):
        answer = await _ask_by_udp(query, octets, host, port)
        if answer.flags & dns.flags.TC:
            answer = await _ask_by_tcp(query, octets, host, port, timeout_s)
    return answer


async def _ask_by_udp(
    query: dns.message.QueryMessage, octets: bytes, host: str, port: int
) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    found: asyncio.Future[dns.message.Message] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Listener(query, found), remote_addr=(host.strip("[]"), port)
    )
    try:
        transport.sendto(octets)
        return await found
    finally:
        transport.close()


async def _ask_by_tcp(
    query: dns.message.QueryMessage, octets: bytes, host: str, port: int, timeout_s: float
) -> dns.message.Message:
    stream = await dial(host, port, timeout_s=timeout_s)
    try:
        stream.write(_LENGTH.pack(len(octets)) + octets)
        received = bytearray()
        while len(received) < _LENGTH.size or len(received) < _LENGTH.size + _length(received):
            more = await stream.read(doing="reading a name server's answer")
            if not more:
                raise ConnectionError("the name server closed the connection")
            received += more
        answer = read_answer(
            query, bytes(received[_LENGTH.size : _LENGTH.size + _length(received)])
        )
    finally:
        stream.close()
    if answer is None:
        raise ConnectionError("the name server answered another question")
    return answer


def _length(received: bytearray) -> int:
    (length,) = _LENGTH.unpack_from(received)
    return int(length)


def read_answer(query: dns.message.QueryMessage, octets: bytes) -> dns.message.Message | None:
    """Return the message if it answers query; None for anything else, which may be forged."""
    try:
        message = dns.message.from_wire(octets, ignore_trailing=True, one_rr_per_rrset=True)
    except (dns.exception.DNSException, UpwireError, ValueError):
        return None
    return message if query.is_response(message) else None


class _Listener(asyncio.DatagramProtocol):
    """Waits for the answer to query among what arrives."""

    def __init__(
        self, query: dns.message.QueryMessage, found: asyncio.Future[dns.message.Message]
    ) -> None:
        self._query = query
        self._found = found

    def datagram_received(self, octets: bytes, _: object) -> None:
        """Take the answer; what is none is ignored."""
        answer = read_answer(self._query, octets)
        if answer is not None and not self._found.done():
            self._found.set_result(answer)

    def error_received(self, error: Exception) -> None:
        """The system says that nobody listens there."""
        if not self._found.done():
            self._found.set_exception(error)

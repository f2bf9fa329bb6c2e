"""What shows of a TLS handshake before it is encrypted: the two hellos. RFC 8446 §4.1.

A server has to know the name that a client asks for before it begins to answer. TLS itself is
OpenSSL's: what is wrong with a hello, or encrypted, is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ALERT_INTERNAL_ERROR = 80
ALERT_UNRECOGNIZED_NAME = 112
ALERT_NO_APPLICATION_PROTOCOL = 120

_RECORD_HEADER_OCTETS = 5
_MESSAGE_HEADER_OCTETS = 4
_HANDSHAKE, _ALERT = 22, 21  # types of records, §5.1
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE = 1, 2, 11  # types of handshake messages, §4
_SERVER_NAME, _SUPPORTED_GROUPS, _ALPN, _PRE_SHARED_KEY, _VERSIONS = 0, 10, 16, 41, 43
_HOST_NAME = 0
_HELLO_OCTETS_MAX = 128 * 1024  # OpenSSL takes no longer one
_FATAL = 2

# A ServerHello with this random is a HelloRetryRequest (§4.1.3).
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class NotHello(Exception):
    """The octets are no hello that could be read; OpenSSL is to say what is wrong."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client asks for.

    server_name is None where none was sent (RFC 6066 §3). ciphers and groups are the registered
    numbers, in the client's order, the ones without meaning (RFC 8701) left out.
    """

    server_name: str | None = None
    ciphers: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    alpn_protocols: tuple[bytes, ...] = ()


class ClientHelloReader:
    """Reads the first message of a client, however it is split."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages = _Messages(_HELLO_OCTETS_MAX)

    def feed(self, octets: bytes) -> ClientHello | None:
        """Take the next octets; None while the message is not there as a whole.

        What follows it is not looked at. Raises NotHello.
        """
        message = next(self._messages.feed(octets), None)
        if message is None:
            return None
        kind, body = message
        if kind != _CLIENT_HELLO:
            raise NotHello
        return _read_client_hello(_Reader(body))


def is_resumption(octets: bytes) -> bool | None:
    """Whether a server's first octets go on with an earlier session.

    None while that does not show: there is no ServerHello yet, or one that asks for another try.
    TLS 1.3 says so in an extension; before, the server sends no Certificate (RFC 5246 §7.3).
    """
    is_behind_hello = False
    try:
        for kind, body in _Messages(_HELLO_OCTETS_MAX).feed(octets):
            if is_behind_hello:
                return kind != _CERTIFICATE
            if kind != _SERVER_HELLO:
                return None
            random, extensions = _read_server_hello(_Reader(body))
            if random != _RETRY and _VERSIONS in extensions:
                return _PRE_SHARED_KEY in extensions
            is_behind_hello = random != _RETRY
    except NotHello:  # what is behind is encrypted, or changes the cipher
        return True if is_behind_hello else None
    return None


def fatal_alert(description: int) -> bytes:
    """Return the record that refuses a handshake. RFC 8446 §6.2."""
    return bytes((_ALERT, 3, 3, 0, 2, _FATAL, description))


class _Reader:
    """Takes the fields of a message one by one; NotHello where one is cut."""

    __slots__ = ("_at", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._octets)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._octets):
            raise NotHello
        taken = self._octets[self._at : end]
        self._at = end
        return taken

    def take_number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def take_vector(self, width: int) -> bytes:
        """Take octets behind a length of that width."""
        return self.take(self.take_number(width))


class _Messages:
    """The handshake messages in records, both split in any way."""

    __slots__ = ("_content", "_limit_octets", "_records")

    def __init__(self, limit_octets: int) -> None:
        self._limit_octets = limit_octets
        self._records = bytearray()
        self._content = bytearray()

    def feed(self, octets: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield type and body of each message that is whole now.

        Raises NotHello at a record of another type, and at a message that is too long.
        """
        self._records += octets
        while (record := self._take_record()) is not None:
            self._content += record
            while len(self._content) >= _MESSAGE_HEADER_OCTETS:
                end = _MESSAGE_HEADER_OCTETS + int.from_bytes(self._content[1:4], "big")
                if end > self._limit_octets:
                    raise NotHello
                if len(self._content) < end:
                    break
                kind, body = self._content[0], bytes(self._content[_MESSAGE_HEADER_OCTETS:end])
                del self._content[:end]
                yield kind, body

    def _take_record(self) -> bytes | None:
        """Return the content of the next record, None where it has not come as a whole."""
        if self._records and (
            self._records[0] != _HANDSHAKE or not b"\3".startswith(self._records[1:2])
        ):
            raise NotHello
        if len(self._records) < _RECORD_HEADER_OCTETS:
            return None
        end = _RECORD_HEADER_OCTETS + int.from_bytes(self._records[3:5], "big")
        if len(self._records) < end:
            return None
        content = bytes(self._records[_RECORD_HEADER_OCTETS:end])
        del self._records[:end]
        return content


def _read_client_hello(reader: _Reader) -> ClientHello:
    reader.take(2 + 32)  # legacy_version, random
    reader.take_vector(1)  # legacy_session_id
    ciphers = _numbers(reader.take_vector(2))
    reader.take_vector(1)  # legacy_compression_methods
    extensions = _extensions(reader)
    return ClientHello(
        server_name=_server_name(extensions.get(_SERVER_NAME)),
        ciphers=ciphers,
        groups=_numbers(_inner(extensions.get(_SUPPORTED_GROUPS), 2)),
        alpn_protocols=_alpn_protocols(extensions.get(_ALPN)),
    )


def _read_server_hello(reader: _Reader) -> tuple[bytes, dict[int, bytes]]:
    """Return the random and the extensions."""
    reader.take(2)  # legacy_version
    random = reader.take(32)
    reader.take_vector(1)  # legacy_session_id_echo
    reader.take(2 + 1)  # cipher_suite, legacy_compression_method
    return random, _extensions(reader)


def _extensions(reader: _Reader) -> dict[int, bytes]:
    """Read the extensions at the end of a hello, if there are any (RFC 8446 §4.2)."""
    found: dict[int, bytes] = {}
    if reader.is_at_end:
        return found
    inner = _Reader(reader.take_vector(2))
    while not inner.is_at_end:
        kind = inner.take_number(2)
        found[kind] = inner.take_vector(2)
    return found


def _inner(extension: bytes | None, width: int) -> bytes:
    return _Reader(extension).take_vector(width) if extension else b""


def _server_name(extension: bytes | None) -> str | None:
    """Return the host name; what is no ASCII is no name (RFC 6066 §3)."""
    reader = _Reader(_inner(extension, 2))
    while not reader.is_at_end:
        kind = reader.take_number(1)
        name = reader.take_vector(2)
        if kind == _HOST_NAME and name.isascii() and b"\0" not in name:
            return name.decode("ascii")
    return None


def _alpn_protocols(extension: bytes | None) -> tuple[bytes, ...]:
    reader = _Reader(_inner(extension, 2))
    protocols: list[bytes] = []
    while not reader.is_at_end:
        protocols.append(reader.take_vector(1))
    return tuple(protocols)


def _numbers(octets: bytes) -> tuple[int, ...]:
    """Return numbers of two octets, without those that only keep servers tolerant (RFC 8701)."""
    found = (int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets) - 1, 2))
    return tuple(n for n in found if n & 0x0F0F != 0x0A0A or n >> 8 != n & 0xFF)

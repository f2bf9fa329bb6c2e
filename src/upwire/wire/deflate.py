"""permessage-deflate: what is offered and agreed, and the codec of one connection.

RFC 7692. The four parameters bind by role, not by side: `server_*` limits what the server
compresses, `client_*` what the client does.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire.fields import parse_list, parse_parameters

NAME = "permessage-deflate"
_TAIL = b"\x00\x00\xff\xff"  # ends a sync flush; left out on the wire (§7.2.1)
_EMPTY_BLOCK = b"\x00"  # with the tail, a stored block of nothing (§7.2.3.6)
_MAX_BITS = 15
_MAX_ENDED_STREAMS = 64  # in a message: an inflater for every two octets would keep us busy
_WINDOW_BITS = {str(bits): bits for bits in range(8, _MAX_BITS + 1)}
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_BITS = ("server_max_window_bits", "client_max_window_bits")


@dataclass(frozen=True, slots=True)
class DeflateOptions:
    """What we ask for, and how we compress.

    Window bits are 8 to 15 (a window of 2**bits octets); level and mem_level are zlib's.
    Messages shorter than min_octets go uncompressed. Raises LocalProtocolError out of range.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = _MAX_BITS
    client_max_window_bits: int = _MAX_BITS
    level: int = 6
    mem_level: int = 8
    min_octets: int = 64

    def __post_init__(self) -> None:
        for bits in (self.server_max_window_bits, self.client_max_window_bits):
            if not 8 <= bits <= _MAX_BITS:
                raise LocalProtocolError(f"window bits {bits} are not between 8 and 15")
        if not -1 <= self.level <= 9 or not 1 <= self.mem_level <= 9:
            raise LocalProtocolError("level is -1 to 9, mem_level 1 to 9")


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """What both sides agreed on, and our own way to compress."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = _MAX_BITS
    client_max_window_bits: int = _MAX_BITS
    level: int = 6
    mem_level: int = 8
    min_octets: int = 64


@dataclass(frozen=True, slots=True)
class _Element:
    """One offer or answer as it was sent; bits are None where the parameter is absent."""

    server_no_context_takeover: bool
    client_no_context_takeover: bool
    server_max_window_bits: int | None
    client_max_window_bits: int | None  # 15 where an offer has it without a value


@dataclass(frozen=True, slots=True)
class Compression:
    """How messages are compressed: the bits of the window, zlib's level and mem_level."""

    window_bits: int
    level: int
    mem_level: int


def build_offer(options: DeflateOptions) -> str:
    """Return the client's offer, an element of Sec-WebSocket-Extensions. §7.1."""
    bits = options.client_max_window_bits
    return _build(
        options.server_no_context_takeover,
        options.client_no_context_takeover,
        options.server_max_window_bits if options.server_max_window_bits < _MAX_BITS else None,
        bits if bits < _MAX_BITS else 0,
    )


def accept_offer(
    values: Iterable[str], options: DeflateOptions
) -> tuple[str, DeflateParameters] | None:
    """Choose the first offer that a server can accept; return the answer and what is agreed.

    values: the values of all Sec-WebSocket-Extensions lines. An offer that is invalid is passed
    over (§5.1); None: no offer is left. Raises RemoteProtocolError where the field is malformed.
    """
    for name, parameters in _elements(values):
        if name == NAME and (offer := _read(parameters, is_answer=False)) is not None:
            return _accept(offer, options)
    return None


def check_answer(values: Iterable[str], options: DeflateOptions) -> DeflateParameters | None:
    """Return what the server agreed to of build_offer(options); None: no compression.

    Raises RemoteProtocolError (1010) for an answer that the offer does not allow. §5.1, §7.1.
    """
    elements = _elements(values)
    if not elements:
        return None
    name, parameters = elements[0]
    if name != NAME or len(elements) > 1:
        raise _bad_answer("server agreed to an extension that was not offered")
    answer = _read(parameters, is_answer=True)
    if answer is None:
        raise _bad_answer(f"server's answer to {NAME} has an invalid parameter")
    if options.server_no_context_takeover and not answer.server_no_context_takeover:
        raise _bad_answer("server's answer lacks server_no_context_takeover")
    server_bits = answer.server_max_window_bits or _MAX_BITS
    if server_bits > options.server_max_window_bits:
        raise _bad_answer("server's answer exceeds the server_max_window_bits of the offer")
    client_bits = answer.client_max_window_bits or _MAX_BITS
    return _agree(
        options,
        answer.server_no_context_takeover,
        answer.client_no_context_takeover or options.client_no_context_takeover,
        server_bits,
        min(client_bits, options.client_max_window_bits),
    )


def compress_alone(payload: bytes, compression: Compression) -> bytes:
    """Return the payload of a whole message that refers to none before it. §7.2.1."""
    return _end_message(_flush(_new_deflater(compression), payload))


class PerMessageDeflate:
    """The codec of one connection: compresses what we send, inflates what the peer sends.

    Contexts are made at the first message that needs them, and kept only where context takeover
    is agreed: zlib holds about 256 KiB for a compressor, 40 KiB for an inflater.

    compression: how it compresses.
    """

    def __init__(self, parameters: DeflateParameters, *, is_client: bool) -> None:
        server = (parameters.server_no_context_takeover, parameters.server_max_window_bits)
        client = (parameters.client_no_context_takeover, parameters.client_max_window_bits)
        ours, peers = (client, server) if is_client else (server, client)
        self.parameters = parameters
        self._resets_deflater, bits = ours
        self.compression = Compression(bits, parameters.level, parameters.mem_level)
        self._resets_inflater, self._inflater_bits = peers
        self._deflater: zlib._Compress | None = None
        self._inflater: zlib._Decompress | None = None
        self._ended_streams = 0  # in the message that is coming

    def compress(self, fragment: bytes, is_final: bool = True) -> bytes:
        """Return the payload of the message's next fragment, by default of a whole one. §7.2.1."""
        if self._deflater is None:
            self._deflater = _new_deflater(self.compression)
        octets = _flush(self._deflater, fragment)
        if not is_final:
            return octets
        if self._resets_deflater:
            self._deflater = None
        return _end_message(octets)

    def forget_sent(self) -> None:
        """Begin the next message with an empty context, as a sender always may. §7.2.1."""
        self._deflater = None

    def decompress(self, fragment: bytes, is_final: bool, limit: int) -> bytes:
        """Inflate the next octets of a message, of which the final ones complete it. §7.2.2.

        limit: how many octets may come out; not many more are ever made. Raises
        RemoteProtocolError past it (1009), and for octets that are not DEFLATE (1007).
        """
        octets = fragment + _TAIL if is_final else fragment
        inflated = self._inflate(octets, limit)
        while self._inflater is not None and self._inflater.eof:
            inflated += self._inflate(self._take_next_stream(), limit - len(inflated))
        if is_final:
            self._ended_streams = 0
            if self._resets_inflater:
                self._inflater = None
        return inflated

    def _inflate(self, octets: bytes, limit: int) -> bytes:
        if self._inflater is None:
            self._inflater = zlib.decompressobj(-self._inflater_bits)
        try:
            inflated = self._inflater.decompress(octets, min(limit + 1, sys.maxsize))
        except zlib.error:
            raise RemoteProtocolError(
                "message does not inflate", "RFC 7692 §7.2.2", close_code=1007
            ) from None
        if len(inflated) > limit:
            raise RemoteProtocolError(
                "message is too big once inflated", "RFC 6455 §7.4.1", close_code=1009
            )
        return inflated

    def _take_next_stream(self) -> bytes:
        """Return what is behind a block with BFINAL set, where the sender began anew. §7.2.3.4."""
        assert self._inflater is not None
        rest = self._inflater.unused_data
        self._inflater = None
        self._ended_streams += 1
        if self._ended_streams > _MAX_ENDED_STREAMS:
            raise RemoteProtocolError(
                "message has too many final blocks", "RFC 7692 §7.2.3.4", close_code=1007
            )
        return rest


def _new_deflater(compression: Compression) -> zlib._Compress:
    bits, level, mem_level = compression.window_bits, compression.level, compression.mem_level
    if bits > 8:
        return zlib.compressobj(level, zlib.DEFLATED, -bits, mem_level)
    # zlib makes no raw stream for 256 octets of window; Z_RLE refers one octet back only,
    # so that its stream suits every window.
    return zlib.compressobj(level, zlib.DEFLATED, -9, mem_level, zlib.Z_RLE)


def _flush(deflater: zlib._Compress, fragment: bytes) -> bytes:
    return deflater.compress(fragment) + deflater.flush(zlib.Z_SYNC_FLUSH)


def _end_message(octets: bytes) -> bytes:
    """Leave the tail out; zlib gives nothing at all for nothing right after a flush."""
    return octets[: -len(_TAIL)] or _EMPTY_BLOCK


def _elements(values: Iterable[str]) -> list[tuple[str, list[tuple[str, str | None]]]]:
    return [parse_parameters(element) for value in values for element in parse_list(value)]


def _read(parameters: list[tuple[str, str | None]], *, is_answer: bool) -> _Element | None:
    """Read the parameters of one element; None where one is unknown, double or invalid. §7.1."""
    flags = dict.fromkeys(_FLAGS, False)
    bits: dict[str, int | None] = dict.fromkeys(_BITS)
    for name, value in parameters:
        if name in flags and not flags[name] and value is None:
            flags[name] = True
        elif name in bits and bits[name] is None and value in _WINDOW_BITS:
            bits[name] = _WINDOW_BITS[value]
        elif name == _BITS[1] and bits[name] is None and value is None and not is_answer:
            bits[name] = _MAX_BITS
        else:
            return None
    return _Element(flags[_FLAGS[0]], flags[_FLAGS[1]], bits[_BITS[0]], bits[_BITS[1]])


def _accept(offer: _Element, options: DeflateOptions) -> tuple[str, DeflateParameters]:
    """Answer an offer with the narrower of both sides' wishes. §7.1."""
    server_bits = min(offer.server_max_window_bits or _MAX_BITS, options.server_max_window_bits)
    client_bits = _MAX_BITS  # only a client that says it can narrows its window
    if offer.client_max_window_bits is not None:
        client_bits = min(offer.client_max_window_bits, options.client_max_window_bits)
    agreed = _agree(
        options,
        offer.server_no_context_takeover or options.server_no_context_takeover,
        offer.client_no_context_takeover or options.client_no_context_takeover,
        server_bits,
        client_bits,
    )
    says_server_bits = offer.server_max_window_bits is not None or server_bits < _MAX_BITS
    answer = _build(
        agreed.server_no_context_takeover,
        agreed.client_no_context_takeover,
        server_bits if says_server_bits else None,
        client_bits if client_bits < _MAX_BITS else None,
    )
    return answer, agreed


def _agree(
    options: DeflateOptions, server_resets: bool, client_resets: bool, server: int, client: int
) -> DeflateParameters:
    return DeflateParameters(
        server_resets,
        client_resets,
        server,
        client,
        options.level,
        options.mem_level,
        options.min_octets,
    )


def _build(
    server_resets: bool, client_resets: bool, server_bits: int | None, client_bits: int | None
) -> str:
    """Write one element; None leaves the bits out, 0 leaves their value out."""
    parts = [NAME]
    if server_resets:
        parts.append(_FLAGS[0])
    if client_resets:
        parts.append(_FLAGS[1])
    for name, bits in zip(_BITS, (server_bits, client_bits), strict=True):
        if bits is not None:
            parts.append(f"{name}={bits}" if bits else name)
    return "; ".join(parts)


def _bad_answer(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, "RFC 7692 §5.1", close_code=1010)

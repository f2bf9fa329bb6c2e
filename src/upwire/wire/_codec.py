# cython: boundscheck=False, wraparound=False
"""The byte loops of the frame layer, compiled where a C compiler was there.

Masks (RFC 6455 §5.3), frame headers in both directions (§5.2), and UTF-8 across frames (§8.1).
Cython's pure Python mode: uncompiled, the same file runs, slower.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

from codecs import utf_8_decode

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.errors import RemoteProtocolError
from upwire.wire.frames import CloseCode

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
    from cython.cimports.cpython.unicode import PyUnicode_1BYTE_DATA, PyUnicode_New
    from cython.cimports.libc.string import memcpy

# What FrameHead.parse() finds wrong; negative, since a header's size is not.
_RESERVED_BIT: cython.int = -1
_RESERVED_OPCODE: cython.int = -2
_FRAGMENTED_CONTROL: cython.int = -3
_LONG_CONTROL: cython.int = -4
_MISPLACED_RSV1: cython.int = -5
_NOT_MASKED: cython.int = -6
_MASKED: cython.int = -7
_NOT_SHORTEST: cython.int = -8
_HIGHEST_BIT: cython.int = -9

FAULTS = {  # message and rule
    _RESERVED_BIT: ("frame has a reserved bit set that no extension defines", "RFC 6455 §5.2"),
    _RESERVED_OPCODE: ("frame has a reserved opcode", "RFC 6455 §5.2"),
    _FRAGMENTED_CONTROL: ("control frame is fragmented", "RFC 6455 §5.5"),
    _LONG_CONTROL: ("control frame is longer than 125 octets", "RFC 6455 §5.5"),
    _MISPLACED_RSV1: ("control or continuation frame is marked as compressed", "RFC 7692 §6.1"),
    _NOT_MASKED: ("frame from a client is not masked", "RFC 6455 §5.1"),
    _MASKED: ("frame from a server is masked", "RFC 6455 §5.1"),
    _NOT_SHORTEST: ("payload length is not in its shortest form", "RFC 6455 §5.2"),
    _HIGHEST_BIT: ("payload length has its highest bit set", "RFC 6455 §5.2"),
}


def is_compiled() -> bool:
    """Whether this module runs as compiled code."""
    return bool(cython.compiled)


def mask(data: bytes, key: bytes) -> bytes:
    """Return data masked, or unmasked, with the 4-octet masking key. RFC 6455 §5.3."""
    if len(key) != 4:
        raise ValueError("a masking key has 4 octets")
    return _masked(data, 0, len(data), key, 0, 0)


def build_frame(
    opcode: int,
    payload: bytes,
    *,
    is_final: bool = True,
    rsv1: bool = False,
    mask_key: bytes | None = None,
) -> bytes:
    """Return one frame; a client gives a fresh mask_key of 4 octets. RFC 6455 §5.2."""
    if mask_key is not None and len(mask_key) != 4:
        raise ValueError("a masking key has 4 octets")
    first = opcode | (0x80 if is_final else 0) | (0x40 if rsv1 else 0)
    return write_frame(first, payload, mask_key, 0)


@cython.ccall
def write_frame(
    first: cython.int, payload: bytes, keys: bytes | None, key_at: cython.Py_ssize_t
) -> bytes:
    """Return the frame that begins with the octet first, masked by 4 octets of keys, or not."""
    n: cython.Py_ssize_t = len(payload)
    mask_bit: cython.int = 0 if keys is None else 0x80
    if cython.compiled:
        width: cython.int = 0 if n < 126 else 2 if n < 65536 else 8
        size: cython.Py_ssize_t = 2 + width + (4 if mask_bit else 0)
        frame: bytes = PyBytes_FromStringAndSize(cython.NULL, size + n)
        head: cython.p_uchar = cython.cast(cython.p_uchar, PyBytes_AS_STRING(frame))
        i: cython.int
        head[0] = first
        head[1] = mask_bit | (n if n < 126 else 126 if n < 65536 else 127)
        for i in range(width):
            head[2 + i] = (n >> (8 * (width - 1 - i))) & 0xFF
        if mask_bit:
            memcpy(head + size - 4, cython.cast(cython.p_const_uchar, keys) + key_at, 4)
            _xor(head + size, payload, n, head + size - 4)
        else:
            memcpy(head + size, cython.cast(cython.p_const_uchar, payload), n)
        return frame
    if n < 126:
        begin = bytes((first, mask_bit | n))
    elif n < 65536:
        begin = bytes((first, mask_bit | 126)) + n.to_bytes(2, "big")
    else:
        begin = bytes((first, mask_bit | 127)) + n.to_bytes(8, "big")
    if keys is None:
        return begin + payload
    return begin + keys[key_at : key_at + 4] + _masked(payload, 0, n, keys, key_at, 0)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _xor(
    target: cython.p_uchar,
    octets: cython.p_const_uchar,
    n: cython.Py_ssize_t,
    key: cython.p_const_uchar,
) -> cython.uchar:
    """Write n octets, XORed with the key, to target, and return the union of their bits.

    Eight octets at a time, moved by memcpy(), so that C compilers make vectors of it.
    """
    i: cython.Py_ssize_t = 0
    word: cython.ulonglong = 0
    keys: cython.ulonglong = 0
    union: cython.ulonglong = 0
    bits: cython.uchar = 0
    memcpy(cython.address(keys), key, 4)
    memcpy(cython.cast(cython.p_uchar, cython.address(keys)) + 4, key, 4)
    while i + 8 <= n:
        memcpy(cython.address(word), octets + i, 8)
        word ^= keys
        union |= word
        memcpy(target + i, cython.address(word), 8)
        i += 8
    while i < n:
        target[i] = octets[i] ^ key[i & 3]
        bits |= target[i]
        i += 1
    union |= union >> 32
    union |= union >> 16
    return bits | (union & 0xFF) | ((union >> 8) & 0xFF)


@cython.cfunc
def _masked(
    octets: cython.p_const_uchar,
    at: cython.Py_ssize_t,
    n: cython.Py_ssize_t,
    keys: cython.p_const_uchar,
    key_at: cython.Py_ssize_t,
    phase: cython.int,
) -> bytes:
    """Return n octets from `at` on, XORed with the key at key_at, beginning in its phase."""
    if cython.compiled:
        result: bytes = PyBytes_FromStringAndSize(cython.NULL, n)
        key = cython.declare(cython.uchar[4])
        i: cython.int
        for i in range(4):
            key[i] = keys[key_at + ((phase + i) & 3)]
        _xor(cython.cast(cython.p_uchar, PyBytes_AS_STRING(result)), octets + at, n, key)
        return result
    else:
        key = keys[key_at : key_at + 4]
        pad = (key[phase:] + key[:phase]) * (n // 4 + 1)
        masked = int.from_bytes(octets[at : at + n], "little") ^ int.from_bytes(pad[:n], "little")
        return masked.to_bytes(n, "little")


@cython.cfunc
def _text(
    octets: cython.p_const_uchar,
    at: cython.Py_ssize_t,
    n: cython.Py_ssize_t,
    key_at: cython.Py_ssize_t,
) -> str:
    """Return n octets from `at` on as text, unmasked with the key at key_at; -1: not masked.

    ASCII is written where the text is to be, and found out on the way; other text is decoded
    from a copy. Raises RemoteProtocolError (1007).
    """
    if cython.compiled:
        text: str = PyUnicode_New(n, 127)
        target: cython.p_uchar = cython.cast(cython.p_uchar, PyUnicode_1BYTE_DATA(text))
        key: cython.p_const_uchar = b"\0\0\0\0"
        if key_at >= 0:
            key = octets + key_at
        if _xor(target, octets + at, n, key) < 0x80:
            return text
    if key_at < 0:
        return decode_text(_slice(octets, at, n))
    return decode_text(_masked(octets, at, n, octets, key_at, 0))


@cython.cfunc
def _slice(octets: cython.p_const_uchar, at: cython.Py_ssize_t, n: cython.Py_ssize_t) -> bytes:
    return bytes(octets[at : at + n])  # of a C pointer already bytes, so not a second copy


@cython.final
@cython.cclass
class FrameHead:
    """The one reader of frame headers; its fields hold the header that it read last.

    refused_bits: which of RSV1-3 (0x70) are a fault.
    masking: 1 where frames must be masked, 0 where they must not, -1 where either will do.
    """

    def __init__(self, refused_bits: int, masking: int) -> None:
        self.refused_bits = refused_bits
        self.masking = masking

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def parse(
        self,
        octets: cython.p_const_uchar,
        at: cython.Py_ssize_t,
        available: cython.Py_ssize_t,
    ) -> cython.int:
        """Return the header's size in octets, 0 while some are missing, or a fault.

        A fault is found before the header is complete: with its first octet, its second, or the
        last of its length.
        """
        fault: cython.int
        if available < 1:
            return 0
        fault = self._check_first(octets[at])
        if fault < 0 or available < 2:
            return fault
        fault = self._check_second(octets[at + 1])
        if fault < 0:
            return fault
        size: cython.int = 2
        code: cython.int = octets[at + 1] & 0x7F
        if code >= 126:
            width: cython.int = 2 if code == 126 else 8
            size += width
            if available < size:
                return 0
            fault = self._read_long(octets, at + 2, width)
            if fault < 0:
                return fault
        if self.is_masked:
            size += 4
        return size if available >= size else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_first(self, octet: cython.int) -> cython.int:
        self.first = octet
        self.opcode = octet & 0x0F
        if octet & self.refused_bits:
            return _RESERVED_BIT
        if 0x2 < self.opcode < 0x8 or self.opcode > 0xA:
            return _RESERVED_OPCODE
        if self.opcode >= 0x8 and not octet & 0x80:
            return _FRAGMENTED_CONTROL
        if octet & 0x40 and self.refused_bits and self.opcode != 1 and self.opcode != 2:
            return _MISPLACED_RSV1
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_second(self, octet: cython.int) -> cython.int:
        self.is_masked = octet >= 0x80
        self.length = octet & 0x7F
        if self.masking == 1 and not self.is_masked:
            return _NOT_MASKED
        if self.masking == 0 and self.is_masked:
            return _MASKED
        if self.opcode >= 0x8 and self.length > 125:
            return _LONG_CONTROL
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_long(
        self, octets: cython.p_const_uchar, at: cython.Py_ssize_t, width: cython.int
    ) -> cython.int:
        length: cython.ulonglong = 0
        i: cython.int
        for i in range(width):
            length = length << 8 | octets[at + i]
        self.length = length
        if width == 8 and octets[at] & 0x80:
            return _HIGHEST_BIT
        if length < (126 if width == 2 else 65536):
            return _NOT_SHORTEST
        return 0


@cython.final
@cython.cclass
class FrameParser:
    """Octets of one direction in; whole messages out, or frame headers and unmasked payload.

    The payload of a frame comes as it arrives, so that the caller can check a declared length
    before anything is kept. Nothing but a header that is incomplete is held back, and whatever
    the caller fed ahead of reading.
    """

    def __init__(self, *, is_masked: bool, allows_rsv1: bool = False) -> None:
        self._head = FrameHead(0x30 if allows_rsv1 else 0x70, 1 if is_masked else 0)
        self._owner = self._octets = b""
        self._at = self._end = 0
        self._key = b""
        self.remaining = 0

    @property
    def unread_octets(self) -> int:
        """How many octets of the input have not been read."""
        return self._end - self._at

    def feed(self, octets: bytes) -> None:
        """Take input."""
        unread = _slice(self._octets, self._at, self._end - self._at)
        self._keep(unread + octets if unread else octets)

    def discard(self) -> None:
        """Drop the input that has not been read."""
        self._keep(b"")

    @cython.cfunc
    @cython.exceptval(check=False)
    def borrow(self, octets: cython.p_const_uchar, n: cython.Py_ssize_t) -> cython.void:
        """Take n octets of a buffer as the whole input, until `settle()`."""
        self._octets = octets
        self._at = 0
        self._end = n

    @cython.cfunc
    def settle(self) -> None:
        """Keep what was not read of a borrowed buffer."""
        self._keep(_slice(self._octets, self._at, self._end - self._at))

    @cython.cfunc
    @cython.exceptval(check=False)
    def copy_unread(self, target: cython.p_uchar) -> cython.Py_ssize_t:
        """Copy what was not read to target, and return how many octets that is."""
        unread: cython.p_const_uchar = self._octets
        memcpy(target, cython.address(unread[self._at]), self._end - self._at)
        return self._end - self._at

    @cython.cfunc
    def _keep(self, octets: bytes) -> None:
        self._owner = octets
        self._octets = octets
        self._at = 0
        self._end = len(octets)

    @cython.ccall
    def read_message(self, limit_octets: cython.ulonglong) -> object:
        """Return the next message if it is one whole frame and not compressed; None otherwise.

        Text is str, binary bytes. A message of more than limit_octets, whatever is incomplete,
        and a header that breaks a rule are left to `read_header()`. To be called where a message
        may begin. Raises RemoteProtocolError (1007) for text that is not UTF-8.
        """
        size: cython.int = self._head.parse(self._octets, self._at, self._end - self._at)
        if size <= 0 or self._head.length > limit_octets:
            return None
        at: cython.Py_ssize_t = self._at + size
        if self._head.length > cython.cast(cython.ulonglong, self._end - at):
            return None
        n: cython.Py_ssize_t = self._head.length
        if self._head.first == 0x82:
            self._at = at + n
            if self._head.is_masked:
                return _masked(self._octets, at, n, self._octets, at - 4, 0)
            return _slice(self._octets, at, n)
        if self._head.first == 0x81:
            self._at = at + n
            return _text(self._octets, at, n, at - 4 if self._head.is_masked else -1)
        return None

    @cython.ccall
    def read_header(self) -> cython.bint:
        """Read the next frame's header into opcode, is_final, rsv1, length and remaining.

        Returns False while it is incomplete. To be called only when remaining is 0.
        Raises RemoteProtocolError for one that breaks a rule, complete or not.
        """
        size: cython.int = self._head.parse(self._octets, self._at, self._end - self._at)
        if size < 0:
            message, rule = FAULTS[size]
            raise RemoteProtocolError(message, rule)
        if size == 0:
            return False
        self._at += size
        self._key = _slice(self._octets, self._at - 4, 4) if self._head.is_masked else b""
        self.opcode = self._head.opcode
        self.is_final = self._head.first >= 0x80
        self.rsv1 = self._head.first & 0x40 != 0
        self.length = self.remaining = self._head.length
        return True

    @cython.ccall
    def read_payload(self) -> bytes:
        """Return what has arrived of the frame's payload, unmasked; remaining says what has not."""
        n: cython.Py_ssize_t = self._end - self._at
        if cython.cast(cython.ulonglong, n) > self.remaining:
            n = self.remaining
        start: cython.Py_ssize_t = self._at
        phase: cython.int = (self.length - self.remaining) & 3
        self._at += n
        self.remaining -= n
        if self._key:
            return _masked(self._octets, start, n, self._key, 0, phase)
        return _slice(self._octets, start, n)


def decode_text(octets: bytes) -> str:
    """Return the text of a whole message. Raises RemoteProtocolError (1007). RFC 6455 §8.1."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise _not_utf8() from None


class Utf8Validator:
    """Checks the UTF-8 of a text that comes in pieces, at the first impossible octet.

    RFC 6455 §8.1, RFC 3629 §4. Python's own decoder does the work: measured on 64 KiB of ASCII
    it is ten times as fast as a compiled automaton, on other text equal.
    """

    def __init__(self) -> None:
        self._tail = b""  # of a character that is incomplete, 3 octets or fewer

    def feed(self, octets: bytes, is_final: bool) -> None:
        """Check the next piece; after the final one the next text may begin.

        Raises RemoteProtocolError (1007) for octets that no UTF-8 text begins with, and for a
        final piece that ends inside a character.
        """
        if self._tail:
            octets = self._tail + octets
        try:
            _, used = utf_8_decode(octets, "strict", is_final)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        self._tail = octets[used:]
        if self._tail[:1] == b"\xed" and self._tail[1:] >= b"\xa0":
            raise _not_utf8()  # half of a surrogate: the decoder waits for its third octet


def _not_utf8() -> RemoteProtocolError:
    return RemoteProtocolError(
        "text is not UTF-8", "RFC 6455 §8.1", close_code=CloseCode.INVALID_PAYLOAD
    )

# cython: boundscheck=False, wraparound=False
"""Counts the frames that pass through a tunnel (RFC 6455 §5.2), compiled where that was possible.

Cython's pure Python mode: uncompiled, the same file runs, slower.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.wire.frames import Opcode

if cython.compiled:
    from cython.cimports.upwire.wire._codec import FrameHead
else:
    from upwire.wire._codec import FrameHead

_NO_LIMIT = 2**64 - 1


def counting_head() -> FrameHead:
    """Return a reader for `FrameCounter`, which takes masked frames and others, with any bits."""
    return FrameHead(0, -1)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _place(opcode: cython.int) -> cython.int:
    """Return where an opcode is counted: the reserved ones between the six are never."""
    return opcode if opcode < 0x8 else opcode - 5


@cython.final
@cython.no_gc
@cython.cclass
class FrameCounter:
    """Counts the frames of one direction of a tunnel, split anywhere; keeps no payload.

    What it lets pass ends inside a payload or at a frame's end, never inside a header, so that
    whoever sends it on always knows where another frame may go between.

    counts_frames: whether the octets are frames; otherwise all of them pass, and only they count.
    limit_octets: how long a message may be, as it is on the wire; None: any length.

    A frame counts when its last octet has passed, octets counts all that passed. After
    is_malformed (a header cannot be one, whatever the extensions) frames count no more. After
    is_over_limit nothing passes: the frame that makes its message too long is the next one.
    remaining: the payload octets that the frame which has begun still lacks.

    head: a reader that counters of one thread share; each has its own otherwise.
    """

    def __init__(
        self,
        *,
        counts_frames: bool = True,
        limit_octets: int | None = None,
        head: FrameHead | None = None,
    ) -> None:
        self.octets = 0
        self.messages = 0
        self.remaining = 0
        self.is_malformed = False
        self.is_over_limit = False
        self._is_counting = counts_frames
        self._limit_octets = _NO_LIMIT if limit_octets is None else limit_octets
        self._message_octets = 0
        self._head = counting_head() if head is None else head
        self._first = 0
        self._held = b""
        self._close_code = -1
        if not cython.compiled:
            self._by_opcode = [0] * 6

    @property
    def by_opcode(self) -> dict[Opcode, int]:
        """How many frames there were of each opcode."""
        return {opcode: self._by_opcode[_place(opcode)] for opcode in Opcode}

    @property
    def frames(self) -> int:
        """How many frames there were."""
        return sum(self.by_opcode.values())

    @property
    def control_frames(self) -> int:
        """How many of them were control frames."""
        return sum(number for opcode, number in self.by_opcode.items() if opcode >= 0x8)

    @property
    def close_code(self) -> int | None:
        """The code in the first Close; None where none passed, 1005 where it had no code."""
        return None if self._close_code < 0 else self._close_code

    @property
    def is_inside_frame(self) -> bool:
        """Whether a frame has begun and not ended, be it only with octets that are held."""
        return self.remaining > 0 or len(self._held) > 0

    @cython.ccall
    def feed(self, octets: bytes) -> bytes:
        """Count the next octets of the direction, and return what passes.

        A header that is incomplete, 15 octets at most, is held until the rest of it is fed.
        """
        if self._held:
            octets = self._held + octets
        n: cython.Py_ssize_t = len(octets)
        passed: cython.Py_ssize_t = self.scan(octets, n)
        if passed == n:
            self._held = b""
            return octets
        self._held = b"" if self.is_over_limit else octets[passed:]
        return octets[:passed]

    def take_held(self) -> bytes:
        """Let pass what is held, since the direction has ended inside a header."""
        held, self._held = self._held, b""
        self.octets += len(held)
        return held

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def scan(self, octets: cython.p_const_uchar, n: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Count n octets and return how many of them pass; what callers with a buffer use.

        Those that do not begin a header: to be given again with the octets behind them.
        """
        passed: cython.Py_ssize_t = 0
        used: cython.Py_ssize_t
        while passed < n and self._is_counting:
            if self.remaining:
                passed += self._pass(n - passed)
                continue
            used = self._begin(octets, passed, n - passed)
            if used == 0:
                break
            passed += used
        if not self._is_counting and not self.is_over_limit:
            passed = n
        self.octets += passed
        return passed

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def finish_frame(self, n: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Count up to n octets as far as the frame that has begun goes; return how many."""
        passed: cython.Py_ssize_t = self._pass(n) if self.remaining else 0
        self.octets += passed
        return passed

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _begin(
        self,
        octets: cython.p_const_uchar,
        at: cython.Py_ssize_t,
        available: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Take a header, of a Close its code as well; return its octets, 0 if it cannot pass."""
        size: cython.Py_ssize_t = self._head.parse(octets, at, available)
        if size < 0:
            self.is_malformed = True
            self._is_counting = False
            return available
        if size == 0 or not self._fits_limit():
            return 0
        self.remaining = self._head.length
        self._first = self._head.first
        if self._head.opcode == 0x8 and self.remaining >= 2:
            if available < size + 2:
                self.remaining = 0
                return 0
            self._take_code(octets, at + size)
            self.remaining -= 2
            size += 2
        if self.remaining == 0:
            self._end_frame()
        return size

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _fits_limit(self) -> cython.bint:
        """Add the frame to its message, a control frame to none; False where that is too long."""
        if self._head.opcode >= 0x8:
            return True
        if self._head.opcode != 0x0:
            self._message_octets = 0
        if self._head.length > self._limit_octets - self._message_octets:
            self.is_over_limit = True
            self._is_counting = False
            return False
        self._message_octets += self._head.length
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _take_code(self, octets: cython.p_const_uchar, at: cython.Py_ssize_t) -> cython.void:
        high: cython.int = octets[at]
        low: cython.int = octets[at + 1]
        if self._head.is_masked:
            high ^= octets[at - 4]
            low ^= octets[at - 3]
        if self._close_code < 0:
            self._close_code = high << 8 | low

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _pass(self, n: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Let up to n octets of the payload go by; return how many there were."""
        if n < self.remaining:
            self.remaining -= n
            return n
        n = self.remaining
        self.remaining = 0
        self._end_frame()
        return n

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _end_frame(self) -> cython.void:
        opcode: cython.int = self._first & 0x0F
        self._by_opcode[_place(opcode)] += 1
        if opcode < 0x8 and self._first >= 0x80:
            self.messages += 1
        if opcode == 0x8 and self._close_code < 0:
            self._close_code = 1005

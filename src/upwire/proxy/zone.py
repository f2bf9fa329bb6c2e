"""Memory that the workers share: nginx's zones, as tables of records that are found by a key.

A master makes a zone before it forks, and hands it on over reloads; a lone process uses the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

_DIGEST_OCTETS = 16
_FREE = bytes(_DIGEST_OCTETS)
_WAYS = 16
_STAMP = struct.Struct("=Q")
_HEADER_OCTETS = 16  # the last stamp that was given out


class Zone:
    """A table of a fixed size: each key has a record of numbers or octets, as struct packs them.

    A key's record lies in one of two sets of 16. Where both are full, `put()` drops the record of
    the two sets that was used least recently, as nginx's limits do with their oldest. Keys are kept
    as digests of 16 octets, so they may be of any length.

    What is read and then written goes inside `with zone.locked()`. No two zones at once: their
    owners could wait for each other. The lock is the kernel's, and a process that is killed leaves
    it; records are written so that it leaves nothing half-made either, the digest coming last.
    The memory is given back with the last reference.
    """

    __slots__ = (
        *("__weakref__", "_descriptor", "_memory"),
        *("_record", "_set_octets", "_sets", "_values_at"),
    )

    def __init__(self, name: str, size_octets: int, record: str) -> None:
        """Take the memory. record: what a record holds, such as "=qd", in struct's language."""
        self._record = struct.Struct(record)
        self._values_at = _WAYS * (_DIGEST_OCTETS + _STAMP.size)
        self._set_octets = self._values_at + _WAYS * self._record.size
        self._sets = max((size_octets - _HEADER_OCTETS) // self._set_octets, 1)
        octets = _HEADER_OCTETS + self._sets * self._set_octets
        self._descriptor = os.memfd_create(f"upwire-{name}", os.MFD_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        os.ftruncate(self._descriptor, octets)
        self._memory = mmap.mmap(self._descriptor, octets)

    @property
    def capacity(self) -> int:
        """How many records there is room for."""
        return self._sets * _WAYS

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the other processes out."""
        # A POSIX lock belongs to the process; flock's and an open file description's would be the
        # master's, and so everybody's.
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def get(self, key: bytes) -> tuple[int | float | bytes, ...] | None:
        """Return the values of a key's record, which is in use by that; None if there is none."""
        digest = _digest(key)
        for start in self._candidates(digest):
            way = self._find(digest, start)
            if way is not None:
                self._touch(start, way)
                return self._record.unpack_from(self._memory, self._value_at(start, way))
        return None

    def put(self, key: bytes, *values: int | float | bytes, evicts: bool = True) -> bool:
        """Write a key's record; returns False where there is no room and evicts is False."""
        digest = _digest(key)
        place = self._place(digest, evicts=evicts)
        if place is None:
            return False
        start, way = place
        at = start + way * _DIGEST_OCTETS
        if self._memory[at : at + _DIGEST_OCTETS] != digest:
            self._memory[at : at + _DIGEST_OCTETS] = _FREE
        self._record.pack_into(self._memory, self._value_at(start, way), *values)
        self._touch(start, way)
        self._memory[at : at + _DIGEST_OCTETS] = digest
        return True

    def delete(self, key: bytes) -> None:
        """Free a key's record, if it has one."""
        digest = _digest(key)
        for start in self._candidates(digest):
            way = self._find(digest, start)
            if way is not None:
                at = start + way * _DIGEST_OCTETS
                self._memory[at : at + _DIGEST_OCTETS] = _FREE

    def _candidates(self, digest: bytes) -> tuple[int, int]:
        """Return where the two sets begin that a digest may lie in."""
        first, second = struct.unpack("=QQ", digest)
        return (
            _HEADER_OCTETS + first % self._sets * self._set_octets,
            _HEADER_OCTETS + second % self._sets * self._set_octets,
        )

    def _find(self, digest: bytes, start: int) -> int | None:
        """Return which way of a set has the digest, _FREE for a free one."""
        end = start + _WAYS * _DIGEST_OCTETS
        at = self._memory.find(digest, start, end)
        while at >= 0:
            way, rest = divmod(at - start, _DIGEST_OCTETS)
            if not rest:
                return way
            at = self._memory.find(digest, at + 1, end)
        return None

    def _place(self, digest: bytes, *, evicts: bool) -> tuple[int, int] | None:
        """Return the set and the way to write a record to: its own, a free, or the oldest one."""
        candidates = self._candidates(digest)
        for wanted in (digest, _FREE):
            for start in candidates:
                way = self._find(wanted, start)
                if way is not None:
                    return start, way
        if not evicts:
            return None
        everywhere = ((start, way) for start in candidates for way in range(_WAYS))
        return min(everywhere, key=lambda one: self._stamp(*one))

    def _stamp(self, start: int, way: int) -> int:
        at = start + _WAYS * _DIGEST_OCTETS + way * _STAMP.size
        stamp: int = _STAMP.unpack_from(self._memory, at)[0]
        return stamp

    def _touch(self, start: int, way: int) -> None:
        """Note that a record is the one used last."""
        (last,) = _STAMP.unpack_from(self._memory, 0)
        _STAMP.pack_into(self._memory, 0, last + 1)
        at = start + _WAYS * _DIGEST_OCTETS + way * _STAMP.size
        _STAMP.pack_into(self._memory, at, last + 1)

    def _value_at(self, start: int, way: int) -> int:
        return start + self._values_at + way * self._record.size


class Zones:
    """The zones of the configuration in force, and those of the one that may follow it.

    A zone of the same name, size and record is the same zone, with what is in it.
    """

    __slots__ = ("_current", "_next")

    def __init__(self) -> None:
        self._current: dict[tuple[str, int, str], Zone] = {}
        self._next: dict[tuple[str, int, str], Zone] = {}

    @property
    def current(self) -> Mapping[tuple[str, int, str], Zone]:
        """The zones in force, by name, size in octets and record."""
        return MappingProxyType(self._current)

    def open(self, name: str, size_octets: int, record: str) -> Zone:
        """Return the zone that a configuration asks for, new or as the last one left it."""
        key = name, size_octets, record
        if key not in self._next:
            self._next[key] = self._current.get(key) or Zone(name, size_octets, record)
        return self._next[key]

    def commit(self) -> None:
        """Put those in force that were opened since the last time; the others are used up."""
        self._current, self._next = self._next, {}

    def roll_back(self) -> None:
        """Forget what was opened since the last time."""
        self._next = {}


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=_DIGEST_OCTETS).digest()

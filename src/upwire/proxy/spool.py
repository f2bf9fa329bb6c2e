"""Content that a slow client does not take yet: the upstream is rid of it all the same."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable
from typing import BinaryIO

PIECE_OCTETS = 64 * 1024

Read = Callable[[], Awaitable[bytes]]
"""Returns the next octets from the upstream, b"" at their end."""

Send = Callable[[bytes], Awaitable[None]]
"""Sends octets to the client, and waits while it is slow."""


class Spool:
    """Octets in their order: memory_octets of them in memory, and then file_octets in a file."""

    __slots__ = (
        *("_file", "_file_octets", "_memory", "_memory_octets", "_pieces", "_read_at"),
        "_written_at",
    )

    def __init__(self, memory_octets: int, file_octets: int) -> None:
        """file_octets 0: no file."""
        self._memory_octets = memory_octets
        self._file_octets = file_octets
        self._pieces: deque[bytes] = deque()
        self._memory = 0
        self._file: BinaryIO | None = None
        self._read_at = self._written_at = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be put in."""
        if not self._file_octets:
            return self._memory >= self._memory_octets
        return self._written_at >= self._file_octets

    def put(self, octets: bytes) -> None:
        """Add octets behind all others. Raises OSError where the file cannot be written."""
        is_in_file = self._read_at < self._written_at
        if not self._file_octets or (not is_in_file and self._memory < self._memory_octets):
            self._pieces.append(octets)
            self._memory += len(octets)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        self._file.seek(self._written_at)
        self._file.write(octets)
        self._written_at += len(octets)

    def take(self) -> bytes:
        """Return the first octets, b"" where there are none. Raises OSError as `put()` does."""
        if self._pieces:
            piece = self._pieces.popleft()
            self._memory -= len(piece)
            return piece
        if self._file is None or self._read_at == self._written_at:
            return b""
        self._file.seek(self._read_at)
        piece = self._file.read(PIECE_OCTETS)
        self._read_at += len(piece)
        if self._read_at == self._written_at:
            self._read_at = self._written_at = 0
            self._file.truncate(0)
        return piece

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk refuses what is not written yet
                self._file.close()


class SpooledRelay:
    """Reads as fast as the upstream gives, whatever the client takes, within the spool's bounds."""

    __slots__ = ("_change", "_is_ended", "_read", "_send", "_spool")

    def __init__(self, read: Read, send: Send, spool: Spool) -> None:
        self._read = read
        self._send = send
        self._spool = spool
        self._change = asyncio.Event()  # something was put in, taken out, or has ended
        self._is_ended = False

    async def run(self, first: bytes) -> None:
        """Send first and all that is read; raises what reading, sending or the spool does.

        What was read before reading failed is sent all the same.
        """
        filler = asyncio.create_task(self._fill(first))
        try:
            while octets := await self._next():
                await self._send(octets)
            await filler
        finally:
            filler.cancel()
            await asyncio.wait([filler])
            if not filler.cancelled():
                filler.exception()  # it was raised above, or gave way to what sending raised
            self._spool.close()

    async def _fill(self, octets: bytes) -> None:
        try:
            while octets:
                self._spool.put(octets)
                self._change.set()
                while self._spool.is_full:
                    await self._wait()
                octets = await self._read()
        finally:
            self._is_ended = True
            self._change.set()

    async def _next(self) -> bytes:
        """Return octets to send, b"" when no more come."""
        while not (octets := self._spool.take()) and not self._is_ended:
            await self._wait()
        self._change.set()
        return octets

    async def _wait(self) -> None:
        self._change.clear()
        await self._change.wait()

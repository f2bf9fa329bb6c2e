"""Rooms in memory that a killed process does not take with it."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path

from upwire.rooms import HistoryLimits, MemoryHome, Position, Publication

LINES_MAX = 10_000


class JournalHome(MemoryHome):
    """Writes each publication, of text, into a file before it tells anybody of it.

    What members have heard is there when the next process opens the file; it counts anew, in
    another epoch. The system keeps what was written, so that an end of the process loses
    nothing; that of the machine may. The latest LINES_MAX publications are kept.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._lines: deque[bytes] = deque(maxlen=LINES_MAX)
        self._room_left = LINES_MAX  # in the file, before it is written anew
        self._file = -1

    async def open(self) -> None:
        """Publish again what the file has, and go on in it. Raises OSError if that cannot be."""
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        for line in lines[-LINES_MAX:]:
            if line.endswith(b"\n"):  # otherwise it was being written, and nobody has heard it
                await self._replay(json.loads(line))
                self._lines.append(line)
        self._rewrite()

    async def close(self) -> None:
        await super().close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    async def publish(
        self,
        room: str,
        publication: Publication,
        *,
        keep: HistoryLimits,
        idempotency_key: str = "",
    ) -> Position:
        fields = (
            room,
            publication.data,
            publication.key,
            idempotency_key,
            keep.messages,
            keep.ttl_s,
        )
        self._append(json.dumps(fields).encode() + b"\n")
        return await super().publish(room, publication, keep=keep, idempotency_key=idempotency_key)

    async def _replay(self, fields: tuple[str, str, str, str, int, float]) -> None:
        room, data, key, idempotency_key, messages, ttl_s = fields
        keep = HistoryLimits(messages, ttl_s)
        publication = Publication(data, key)
        await super().publish(room, publication, keep=keep, idempotency_key=idempotency_key)

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        os.write(self._file, line)
        self._room_left -= 1
        if not self._room_left:
            self._rewrite()

    def _rewrite(self) -> None:
        """Put a file in the old one's place that has only what is to be kept."""
        if self._file >= 0:
            os.close(self._file)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(self._lines))
        fresh.replace(self._path)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._room_left = LINES_MAX

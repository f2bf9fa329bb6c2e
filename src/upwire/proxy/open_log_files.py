"""`open_log_file_cache`: the files of access logs whose names have variables."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from upwire.conf.model.types.logs import OpenLogFileCache
from upwire.proxy.log_file import LogFile


@dataclass(slots=True)
class _Entry:
    """A name that lines were written to. file is None while it is not kept open."""

    used_s: float
    opened_s: float
    uses: int = 0
    file: LogFile | None = None


class OpenLogFiles:
    """Writes lines to files by their paths, and keeps open those that are written to often."""

    __slots__ = ("_clock", "_entries", "_limits", "_report")

    def __init__(
        self,
        limits: OpenLogFileCache,
        report: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep no more than limits allow; report takes a level and what went wrong."""
        self._limits = limits
        self._report = report
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # the least recently used first

    def write_line(self, path: str, line: bytes) -> None:
        """Append line to the file at path; raises OSError where that cannot be opened."""
        if not self._limits.files_max:
            file = LogFile(path, report=self._report)
            file.write_line(line)
            file.close()
            return
        now_s = self._clock()
        self._expire(now_s)
        entry = self._entries.get(path)
        if entry is not None and now_s - entry.opened_s >= self._limits.valid_s:
            _check(entry, now_s)
        kept = entry.file if entry is not None else None
        file = kept or LogFile(path, report=self._report)
        file.write_line(line)
        entry = self._use(path, now_s)
        if entry.uses < self._limits.min_uses:
            file.close()
        elif kept is None:
            entry.file, entry.opened_s = file, now_s

    def close(self) -> None:
        """Close every file, to be opened anew by the next line."""
        for entry in self._entries.values():
            _close(entry)
        self._entries.clear()

    def _use(self, path: str, now_s: float) -> _Entry:
        """Return the entry of a path, counted as used; a new one may displace the oldest one."""
        entry = self._entries.get(path)
        if entry is None:
            if len(self._entries) >= self._limits.files_max:
                _close(self._entries.popitem(last=False)[1])
            entry = self._entries[path] = _Entry(now_s, now_s)
        self._entries.move_to_end(path)
        entry.used_s = now_s
        entry.uses += 1
        return entry

    def _expire(self, now_s: float) -> None:
        while self._entries:
            path, oldest = next(iter(self._entries.items()))
            if now_s - oldest.used_s <= self._limits.inactive_s:
                return
            _close(oldest)
            del self._entries[path]


def _check(entry: _Entry, now_s: float) -> None:
    """Keep a file for longer if its name still leads to it."""
    if entry.file is not None and entry.file.is_still_named():
        entry.opened_s = now_s
    else:
        _close(entry)


def _close(entry: _Entry) -> None:
    if entry.file is not None:
        entry.file.close()
        entry.file = None

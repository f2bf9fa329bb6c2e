"""The files that logs are written to: appended a whole line at a time, opened anew on request."""

from __future__ import annotations

import contextlib
import os
import sys

from upwire.errors import ConfigError, Problem
from upwire.proxy.privileges import Credentials

STDERR = "stderr"
STDOUT = "/dev/stdout"
_DYNAMIC_MAX = 64  # files of an access_log whose name has variables


class LogFile:
    """A file that lines are appended to. buffer_octets 0 writes each line at once.

    A line that cannot be written is lost: a full disk stops the log, never the traffic.
    """

    __slots__ = ("_buffer", "_buffer_octets", "_descriptor", "_owns_descriptor", "path")

    def __init__(self, path: str, *, buffer_octets: int = 0) -> None:
        """Open or create path; raises OSError."""
        self.path = path
        self._buffer = bytearray()
        self._buffer_octets = buffer_octets
        self._owns_descriptor = path not in (STDERR, STDOUT)
        self._descriptor = self._open()

    def write_line(self, line: bytes) -> None:
        """Append line, which comes without its line end."""
        self._buffer += line
        self._buffer += b"\n"
        if len(self._buffer) > self._buffer_octets:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        if self._buffer:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, self._buffer)
            self._buffer.clear()

    def reopen(self, owner: Credentials | None = None) -> None:
        """Open the path anew, so that a rotated file is left alone; raises OSError.

        owner: whose the file is to be, as those who go on with it may not open root's.
        """
        self.flush()
        if self._owns_descriptor:
            descriptor = self._open()
            os.close(self._descriptor)
            self._descriptor = descriptor
            if owner is not None and os.fstat(descriptor).st_uid != owner.user_id:
                os.fchown(descriptor, owner.user_id, -1)

    def close(self) -> None:
        """Write what is buffered and close; the file is not used any more."""
        self.flush()
        if self._owns_descriptor:
            os.close(self._descriptor)
            self._owns_descriptor = False

    def _open(self) -> int:
        if self.path == STDERR:
            return sys.__stderr__.fileno() if sys.__stderr__ else 2
        if self.path == STDOUT:
            return sys.__stdout__.fileno() if sys.__stdout__ else 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path.encode("latin-1"), flags, 0o644)


class LogFiles:
    """Every log file that a configuration names, each opened once. Names are below prefix."""

    __slots__ = ("_dynamic", "_files", "_prefix")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._files: dict[str, LogFile] = {}
        self._dynamic: dict[str, LogFile] = {}

    def open(self, name: str, *, buffer_octets: int = 0) -> LogFile:
        """Return the file for name; raises ConfigError, with nginx's words, where it cannot be."""
        path = self._path(name)
        if path not in self._files:
            try:
                self._files[path] = LogFile(path, buffer_octets=buffer_octets)
            except OSError as error:
                raise ConfigError([_cannot_open(path, error)]) from None
        return self._files[path]

    def open_dynamic(self, name: str) -> LogFile:
        """Return the file for a name that variables gave; raises OSError.

        A bounded number is kept open.
        """
        path = self._path(name)
        if path in self._files:
            return self._files[path]
        if path not in self._dynamic:
            if len(self._dynamic) >= _DYNAMIC_MAX:
                self._close_dynamic()
            self._dynamic[path] = LogFile(path)
        return self._dynamic[path]

    def flush(self) -> None:
        """Write what every file has buffered."""
        for file in self._files.values():
            file.flush()

    def reopen(self, owner: Credentials | None = None) -> list[Problem]:
        """Open every file anew; one that cannot be opened stays as it was, and is a problem."""
        self._close_dynamic()
        problems = []
        for path, file in self._files.items():
            try:
                file.reopen(owner)
            except OSError as error:
                problems.append(_cannot_open(path, error))
        return problems

    def close(self) -> None:
        """Write what is buffered and close every file."""
        self._close_dynamic()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _close_dynamic(self) -> None:
        for file in self._dynamic.values():
            file.close()
        self._dynamic.clear()

    def _path(self, name: str) -> str:
        return name if name in (STDERR, STDOUT) else os.path.join(self._prefix, name)


def _cannot_open(path: str, error: OSError) -> Problem:
    return Problem(f'open() "{path}" failed ({error.errno}: {error.strerror})')

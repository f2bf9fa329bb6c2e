"""The files that logs are written to: appended a whole line at a time, opened anew on request."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from upwire.conf.model.types.logs import Syslog
from upwire.errors import ConfigError, Problem
from upwire.proxy.privileges import Credentials
from upwire.proxy.syslog import SyslogWriter

STDERR = "stderr"
STDOUT = "/dev/stdout"

REPORT_S = 60.0
"""How often it is said that a log cannot be written; nginx's number."""

_GZIP = 31  # zlib's window of 32 KiB, in gzip's format
_FULL_REST_S = 1.0  # how long a log on a full disk is left alone, as each try takes its time


@dataclass(frozen=True, slots=True)
class Buffering:
    """How lines are gathered: until there are octets, or until flush_s after the first of them.

    octets 0 writes each line at once. gzip_level: each write is a gzip member of its own.
    """

    octets: int = 0
    flush_s: float | None = None
    gzip_level: int | None = None


class LogFile:
    """A file that lines are appended to.

    A line that cannot be written is lost: a full disk stops the log, never the traffic.
    """

    __slots__ = (
        *("_buffer", "_buffering", "_descriptor", "_is_full_until_s", "_owns_descriptor"),
        *("_report", "_reported_s", "_timer", "path"),
    )

    def __init__(
        self,
        path: str,
        buffering: Buffering = Buffering(),
        *,
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        """Open or create path; raises OSError. report takes a level and what went wrong later."""
        self.path = path
        self._buffering = buffering
        self._report = report
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._is_full_until_s = self._reported_s = float("-inf")
        self._owns_descriptor = path not in (STDERR, STDOUT)
        self._descriptor = self._open()

    def write_line(self, line: bytes) -> None:
        """Append line, which comes without its line end."""
        if len(self._buffer) + len(line) >= self._buffering.octets:
            self.flush()
        self._buffer += line
        self._buffer += b"\n"
        if len(self._buffer) > self._buffering.octets:
            self.flush()
        elif self._timer is None and self._buffering.flush_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._buffering.flush_s, self.flush)

    def flush(self) -> None:
        """Write what is buffered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._buffer:
            octets, self._buffer = self._buffer, bytearray()
            self._write(octets)

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

    def is_still_named(self) -> bool:
        """Whether the path leads to the file that is open."""
        try:
            named = os.stat(self.path.encode("latin-1"))
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._descriptor))

    def _open(self) -> int:
        if self.path == STDERR:
            return sys.__stderr__.fileno() if sys.__stderr__ else 2
        if self.path == STDOUT:
            return sys.__stdout__.fileno() if sys.__stdout__ else 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path.encode("latin-1"), flags, 0o644)

    def _write(self, octets: bytearray) -> None:
        if time.monotonic() < self._is_full_until_s:
            return
        written: bytes | bytearray = octets
        if self._buffering.gzip_level is not None:
            packer = zlib.compressobj(self._buffering.gzip_level, wbits=_GZIP)
            written = packer.compress(octets) + packer.flush()
        try:
            count = os.write(self._descriptor, written)
        except OSError as error:
            self._fail(f"failed ({error.errno}: {error.strerror})")
            if error.errno == errno.ENOSPC:
                self._is_full_until_s = time.monotonic() + _FULL_REST_S
        else:
            if count < len(written):
                self._fail(f"was incomplete: {count} of {len(written)}")

    def _fail(self, how: str) -> None:
        """Report a write, unless one was reported lately: the report may come to this very file."""
        now_s = time.monotonic()
        if self._report is not None and now_s - self._reported_s >= REPORT_S:
            self._reported_s = now_s
            self._report("alert", f'write() to "{self.path}" {how}')


class LogFiles:
    """Every log that a configuration names, each opened once. Names of files are below prefix.

    report: where it goes that one cannot be written; the cycle sets it when it has an error log.
    """

    __slots__ = ("_files", "_prefix", "_syslogs", "report")

    def __init__(self, prefix: str) -> None:
        self.report: Callable[[str, str], None] = _say_nothing
        self._prefix = prefix
        self._files: dict[str, LogFile] = {}
        self._syslogs: dict[Syslog, SyslogWriter] = {}

    def open(self, name: str, buffering: Buffering = Buffering()) -> LogFile:
        """Return the file for name; raises ConfigError, with nginx's words, where it cannot be."""
        path = self.path(name)
        if path not in self._files:
            try:
                self._files[path] = LogFile(path, buffering, report=self._pass_report)
            except OSError as error:
                raise ConfigError([_cannot_open(path, error)]) from None
        return self._files[path]

    def open_syslog(self, target: Syslog) -> SyslogWriter:
        """Return the writer to a syslog server; raises ConfigError where it has no address."""
        if target not in self._syslogs:
            self._syslogs[target] = SyslogWriter(target, self._pass_report)
        return self._syslogs[target]

    def path(self, name: str) -> str:
        """Return the path of the file that a configuration names."""
        return name if name in (STDERR, STDOUT) else os.path.join(self._prefix, name)

    def reopen(self, owner: Credentials | None = None) -> list[Problem]:
        """Open every file anew; one that cannot be opened stays as it was, and is a problem."""
        problems = []
        for path, file in self._files.items():
            try:
                file.reopen(owner)
            except OSError as error:
                problems.append(_cannot_open(path, error))
        return problems

    def close(self) -> None:
        """Write what is buffered and close all."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        for syslog in self._syslogs.values():
            syslog.close()

    def _pass_report(self, level: str, message: str) -> None:
        self.report(level, message)


def _cannot_open(path: str, error: OSError) -> Problem:
    return Problem(f'open() "{path}" failed ({error.errno}: {error.strerror})')


def _say_nothing(level: str, message: str) -> None:
    """Report nothing, where there is no error log yet."""

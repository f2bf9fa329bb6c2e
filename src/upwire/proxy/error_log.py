"""nginx's error log: one line an event, with the level, the connection and what it was about.

2026/01/02 03:04:05 [error] 17#17: *5 upstream timed out (110: Connection timed out) while
reading response header from upstream, client: 127.0.0.1, server: , request: "GET / HTTP/1.1", …
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable

from upwire.conf.model import ErrorLog
from upwire.errors import Problem
from upwire.proxy.log_file import LogFile, LogFiles
from upwire.proxy.syslog import SyslogWriter

LEVELS = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")
_RANKS = {level: rank for rank, level in enumerate(LEVELS)}
_LEVEL_NAMES = {
    logging.CRITICAL: "alert",
    logging.ERROR: "error",
    logging.WARNING: "warn",
    logging.INFO: "info",
}
LINE_OCTETS = 4095
"""What is longer is cut, as nginx does: a request may bring megabytes into a message."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ErrorLogger:
    """The error logs that hold at one level of the configuration, each with its least level."""

    __slots__ = ("_sinks", "_worst_rank")

    def __init__(self, logs: Iterable[ErrorLog], files: LogFiles) -> None:
        """Open the files and syslog servers; raises ConfigError. Nothing is kept in memory."""
        self._sinks: list[tuple[LogFile | SyslogWriter, int]] = [
            (
                files.open(log.path) if log.syslog is None else files.open_syslog(log.syslog),
                _RANKS.get(log.level, _RANKS["debug"]),
            )
            for log in logs
            if not log.path.startswith("memory:")
        ]
        self._worst_rank = max((rank for _, rank in self._sinks), default=-1)

    def is_on(self, level: str) -> bool:
        """Whether a line of level would be written anywhere."""
        return _RANKS[level] <= self._worst_rank

    def write(
        self, level: str, message: str, *, connection: int | None = None, context: str = ""
    ) -> None:
        """Write one line. context: the facts behind the message, with their leading comma."""
        rank = _RANKS[level]
        if rank > self._worst_rank:
            return
        line = format_line(level, message + context, connection=connection)
        for sink, least_rank in self._sinks:
            if rank <= least_rank:
                if isinstance(sink, SyslogWriter):
                    sink.write_line(line, severity=rank)
                else:
                    sink.write_line(line)

    def write_problem(self, problem: Problem) -> None:
        """Write what is wrong with a configuration."""
        self.write(problem.severity, str(problem).removeprefix(f"[{problem.severity}] "))


class ErrorLogHandler(logging.Handler):
    """Brings what the layers below log into the error log; logger gives the one in force."""

    def __init__(self, logger: Callable[[], ErrorLogger]) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, a traceback with it, as one line."""
        text = record.getMessage()
        if record.exc_info is not None:
            text += ": " + logging.Formatter().formatException(record.exc_info)
        self._logger().write(_LEVEL_NAMES.get(record.levelno, "debug"), text)


def format_line(level: str, message: str, *, connection: int | None = None) -> bytes:
    """Return a line of the error log, without its end; control characters are escaped.

    nginx writes a thread's number behind the process's; on Linux the two are the same.
    """
    pid = os.getpid()
    number = f" *{connection}" if connection is not None else ""
    safe = _CONTROL.sub(lambda octet: f"\\x{ord(octet[0]):02X}", message)
    stamp = time.strftime("%Y/%m/%d %H:%M:%S")
    text = f"{stamp} [{level}] {pid}#{pid}:{number} {safe}"
    return text.encode("latin-1", "replace")[:LINE_OCTETS]


def describe_error(error: OSError) -> str:
    """Return "(111: Connection refused)", as nginx shows an error of the system."""
    return f"({error.errno}: {os.strerror(error.errno or 0)})"

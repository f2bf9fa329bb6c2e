"""Messages to a syslog server, over UDP or a unix socket. RFC 3164."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from upwire.conf.model.types.logs import Syslog
from upwire.errors import ConfigError, Problem

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

Report = Callable[[str, str], None]
"""Takes a level and a message for the error log."""


class SyslogWriter:
    """Sends each line as a datagram. One that cannot be sent is lost, and the first is reported."""

    __slots__ = ("_address", "_family", "_has_failed", "_name", "_report", "_socket", "_target")

    def __init__(self, target: Syslog, report: Report) -> None:
        """Find the server's address; raises ConfigError, in nginx's words, if there is none."""
        self._target = target
        self._report = report
        self._socket: socket.socket | None = None
        self._has_failed = False
        self._address: str | tuple[object, ...]
        self._family: int
        if target.unix is not None:
            self._family, self._address = socket.AF_UNIX, target.unix
            self._name = f"unix:{target.unix}"
        else:
            self._family, self._address = _resolve(target)
            self._name = f"{target.host}:{target.port}"

    def write_line(self, line: bytes, severity: int | None = None) -> None:
        """Send line; severity: the message's own, as its number."""
        message = self._header(severity) + line
        try:
            self._connected().send(message)
        except OSError as error:
            self._fail(error)
        else:
            self._has_failed = False

    def close(self) -> None:
        """Close the socket; a line that still comes opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _header(self, severity: int | None) -> bytes:
        target = self._target
        priority = target.facility * 8 + (target.severity if severity is None else severity)
        now = time.localtime()
        stamp = f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {time.strftime('%H:%M:%S', now)}"
        host = f"{socket.gethostname().lower()} " if target.has_hostname else ""
        return f"<{priority}>{stamp} {host}{target.tag}: ".encode("latin-1", "replace")

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(self._address)
        return self._socket

    def _fail(self, error: OSError) -> None:
        """Begin anew with the next line; say so once, as the report may come to us again."""
        self.close()
        if not self._has_failed:
            self._has_failed = True
            reason = f"({error.errno}: {os.strerror(error.errno or 0)})"
            message = f"send() failed {reason} while logging to syslog, server: {self._name}"
            self._report("error", message)


def _resolve(target: Syslog) -> tuple[int, tuple[object, ...]]:
    try:
        found = socket.getaddrinfo(target.host.strip("[]"), target.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        problem = Problem(f'host not found in syslog server "{target.host}"')
        raise ConfigError([problem]) from None
    return found[0][0], found[0][4]

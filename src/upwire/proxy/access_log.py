"""`access_log` and `log_format`: one line for each request, written when the request has ended."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence

from upwire.conf.model import AccessLog, LogFormat
from upwire.conf.variables import Lookup, Template
from upwire.proxy.log_file import Buffering, LogFiles
from upwire.proxy.open_log_files import OpenLogFiles

_DEFAULT_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\xff]')
_JSON_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_JSON_UNSAFE = re.compile(r'[\x00-\x1f"\\]')


class AccessLogger:
    """The access logs that hold at one level of the configuration."""

    __slots__ = ("_files", "_logs", "_open_files", "variables")

    def __init__(
        self, logs: Sequence[AccessLog], files: LogFiles, open_files: OpenLogFiles
    ) -> None:
        """Open what has a name without variables; raises ConfigError."""
        self._files = files
        self._open_files = open_files
        self._logs = [(log, _open_now(log, files)) for log in logs]
        self.variables = frozenset(name for log in logs for name in _variables(log))
        """The names of all that a line takes."""

    @property
    def is_on(self) -> bool:
        """Whether there is a log at all."""
        return bool(self._logs)

    def write(self, lookup: Lookup) -> OSError | None:
        """Write the line of one request; returns why a file named by variables did not open."""
        failed: OSError | None = None
        for log, write_line in self._logs:
            if log.condition is not None and log.condition.render(lookup) in ("", "0"):
                continue
            line = format_line(log.format, lookup)
            if write_line is not None:
                write_line(line)
                continue
            try:
                self._write_by_name(log.path, lookup, line)
            except OSError as error:
                failed = error
        return failed

    def _write_by_name(self, path: Template, lookup: Lookup, line: bytes) -> None:
        """Write to a file whose name the request gives, if its root is there; raises OSError.

        Names come from outside; where the root is, their number is bounded by what is served.
        """
        root = lookup("document_root") or ""
        if not os.path.isdir(root):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), root)
        self._open_files.write_line(self._files.path(path.render(lookup)), line)


def format_line(log_format: LogFormat, lookup: Lookup) -> bytes:
    """Return the line that a `log_format` gives, without its end. An unset variable gives "-"
    (escape=default) or nothing.
    """
    escape, missing = _ESCAPES[log_format.escape]
    line = []
    for part in log_format.template.parts:
        if isinstance(part, str):
            line.append(part)
        else:
            value = lookup(part.name)
            line.append(missing if value is None else escape(value))
    return "".join(line).encode("latin-1", "replace")


def _variables(log: AccessLog) -> Iterator[str]:
    for template in (log.format.template, log.path, log.condition):
        if template is not None:
            yield from template.variables
    if log.path.variables:
        yield "document_root"


def _open_now(log: AccessLog, files: LogFiles) -> Callable[[bytes], None] | None:
    """Return what writes a line of a log; None where that depends on the request."""
    if log.syslog is not None:
        return files.open_syslog(log.syslog).write_line
    if log.path.variables:
        return None
    buffering = Buffering(log.buffer_octets or 0, log.flush_s, log.gzip_level)
    return files.open(log.path.text, buffering).write_line


def _escape_default(value: str) -> str:
    return _DEFAULT_UNSAFE.sub(lambda octet: f"\\x{ord(octet[0]):02X}", value)


def _escape_json(value: str) -> str:
    """Escape what JSON demands and leave other octets alone, valid UTF-8 or not."""
    return _JSON_UNSAFE.sub(_escape_json_octet, value)


def _escape_json_octet(match: re.Match[str]) -> str:
    octet = match[0]
    return _JSON_SHORT.get(octet) or f"\\u{ord(octet):04X}"


def _keep(value: str) -> str:
    return value


_ESCAPES: dict[str, tuple[Callable[[str], str], str]] = {
    "default": (_escape_default, "-"),
    "json": (_escape_json, ""),
    "none": (_keep, ""),
}

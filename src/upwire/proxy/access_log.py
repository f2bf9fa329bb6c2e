"""`access_log` and `log_format`: one line for each request, written when the request has ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from upwire.conf.model import AccessLog, LogFormat
from upwire.conf.variables import Lookup
from upwire.proxy.log_file import LogFile, LogFiles

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

    __slots__ = ("_files", "_logs")

    def __init__(self, logs: Sequence[AccessLog], files: LogFiles) -> None:
        """Open the files whose names have no variables; raises ConfigError. No `syslog:` yet."""
        self._files = files
        self._logs = [
            (log, _open_now(log, files)) for log in logs if not log.path.text.startswith("syslog:")
        ]

    def write(self, lookup: Lookup) -> OSError | None:
        """Write the line of one request; returns why a file named by variables did not open."""
        failed: OSError | None = None
        for log, file in self._logs:
            if log.condition is not None and log.condition.render(lookup) in ("", "0"):
                continue
            if file is None:
                try:
                    file = self._files.open_dynamic(log.path.render(lookup))
                except OSError as error:
                    failed = error
                    continue
            file.write_line(format_line(log.format, lookup))
        return failed


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


def _open_now(log: AccessLog, files: LogFiles) -> LogFile | None:
    if log.path.variables:
        return None
    return files.open(log.path.text, buffer_octets=log.buffer_octets or 0)


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

"""What `error_log`, `access_log` and `log_format` say."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class Syslog:
    """What follows `syslog:`: a server, and what RFC 3164 §4.1 puts before a message.

    facility and severity are its numbers; an error log's severity is each message's own.
    """

    host: str
    port: int
    unix: str | None = None
    facility: int = 23
    severity: int = 6
    tag: str = "nginx"
    has_hostname: bool = True


@dataclass(frozen=True, slots=True)
class ErrorLog:
    """One `error_log`: file name or "stderr", and the least level written. syslog: in its place."""

    path: str
    level: str = "error"
    syslog: Syslog | None = None


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A `log_format`. escape is "default", "json" or "none"."""

    name: str
    template: Template
    escape: str = "default"


@dataclass(frozen=True, slots=True)
class AccessLog:
    """One `access_log`. condition is `if=`: no line where it gives "" or "0"."""

    path: Template
    format: LogFormat
    condition: Template | None = None
    buffer_octets: int | None = None
    flush_s: float | None = None
    gzip_level: int | None = None
    syslog: Syslog | None = None


@dataclass(frozen=True, slots=True)
class OpenLogFileCache:
    """`open_log_file_cache`: how many files whose names have variables stay open, and how long.

    files_max 0 is `off`. min_uses: so many lines within inactive_s keep a file open; valid_s: after
    that it is seen to whether its name still leads to it.
    """

    files_max: int = 0
    inactive_s: float = 10.0
    valid_s: float = 60.0
    min_uses: int = 1

"""What `error_log`, `access_log` and `log_format` say."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class ErrorLog:
    """One `error_log`: file name, "stderr" or "syslog:...", and the least level written."""

    path: str
    level: str = "error"


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

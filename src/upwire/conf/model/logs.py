"""`log_format`, `access_log` and `error_log`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.syslog import PREFIX, read_syslog
from upwire.conf.model.types import AccessLog, ErrorLog, LogFormat
from upwire.conf.model.types.logs import OpenLogFileCache
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_number, parse_size, parse_time
from upwire.conf.variables import Template

COMBINED = LogFormat(
    "combined",
    Template.compile(
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
        ' "$http_referer" "$http_user_agent"'
    ),
)
_DEFAULT_ACCESS_LOG = AccessLog(Template.literal("logs/access.log"), COMBINED)
_LEVELS = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")
_DEBUG_LEVELS = (
    *("debug_core", "debug_alloc", "debug_mutex", "debug_event"),
    *("debug_http", "debug_mail", "debug_stream"),
)
_GZIP_BUFFER_OCTETS = 64 * 1024
_GZIP_LEVEL = 1


def read_log_format(directive: Directive, assembly: Assembly) -> LogFormat:
    """Return one format, its pieces joined as they stand, and keep it in assembly."""
    name, *pieces = directive.args
    if name in assembly.log_formats:
        raise Wrong(f'duplicate "log_format" name "{name}"', directive.arg_positions[0])
    escape = "default"
    if pieces[0].startswith("escape="):
        escape = pieces.pop(0).removeprefix("escape=")
        if escape not in ("default", "json", "none"):
            message = f'unknown log format escaping "{escape}"'
            raise Wrong(message, directive.arg_positions[1])
    log_format = LogFormat(name, assembly.template("".join(pieces)), escape)
    assembly.log_formats[name] = (log_format, directive.position)
    return log_format


def effective_access_logs(scope: Scope, assembly: Assembly) -> tuple[AccessLog, ...]:
    """Return the logs of a level; none where one line says `off`."""
    directives = scope.effective("access_log")
    if not directives:
        return (_DEFAULT_ACCESS_LOG,)
    if any(directive.args[0] == "off" for directive in directives):
        return ()
    return assembly.read_all(read_access_log, directives)


def read_access_log(directive: Directive, assembly: Assembly) -> AccessLog | None:
    """Return one log; None for `off`."""
    path, *options = directive.args
    places = directive.arg_positions
    if path == "off":
        if options:
            raise Wrong(f'invalid parameter "{options[0]}"', places[1])
        return None
    log_format = _find_format(options[0], directive, assembly) if options else COMBINED
    if log_format is None:
        return None
    syslog = read_syslog(path, places[0]) if path.startswith(PREFIX) else None
    log = AccessLog(assembly.template(path), log_format, syslog=syslog)
    for option, at in zip(options[1:], places[2:], strict=True):
        try:
            log = _with_option(log, option, assembly)
        except ValueError as error:
            raise Wrong(str(error), at) from None
    if log.flush_s is not None and log.buffer_octets is None:
        raise Wrong(f'no buffer is defined for access_log "{path}"', places[0])
    if log.buffer_octets is not None and "$" in path:
        raise Wrong("buffered logs cannot have variables in name", places[0])
    if log.buffer_octets is not None and syslog is not None:
        raise Wrong("logs to syslog cannot be buffered", places[0])
    return log


def _find_format(name: str, directive: Directive, assembly: Assembly) -> LogFormat | None:
    """Return the format that a log names; it has to stand above, and case does not matter."""
    if name.lower() == COMBINED.name:
        return COMBINED
    for log_format, position in assembly.log_formats.values():
        if log_format.name.lower() == name.lower() and position.order < directive.position.order:
            return log_format
    assembly.missing(f'unknown log format "{name}"', directive.arg_positions[1])
    return None


def _with_option(log: AccessLog, option: str, assembly: Assembly) -> AccessLog:
    """Return log with one parameter set; raises ValueError with nginx's message."""
    name, equals, value = option.partition("=")
    match name, bool(equals):
        case "buffer", True:
            return replace(log, buffer_octets=int(_positive(parse_size, value, "buffer size")))
        case "flush", True:
            return replace(log, flush_s=_positive(parse_time, value, "flush time"))
        case "gzip", _:
            level = _gzip_level(value) if equals else _GZIP_LEVEL
            octets = log.buffer_octets or _GZIP_BUFFER_OCTETS
            return replace(log, gzip_level=level, buffer_octets=octets)
        case "if", True:
            return replace(log, condition=assembly.template(value))
    raise ValueError(f'invalid parameter "{option}"')


def _positive(read: Callable[[str], float], value: str, what: str) -> float:
    try:
        number = read(value)
    except ValueError:
        number = 0
    if number == 0:
        raise ValueError(f'invalid {what} "{value}"')
    return number


def _gzip_level(value: str) -> int:
    level = int(_positive(parse_number, value, "compression level"))
    if level > 9:
        raise ValueError(f'invalid compression level "{value}"')
    return level


def read_error_log(directive: Directive, assembly: Assembly) -> ErrorLog:
    """Return one log; several debug_* levels count as debug. Nothing is kept in memory."""
    path, *levels = directive.args
    seen = ""
    for level, at in zip(levels, directive.arg_positions[1:], strict=True):
        if level in _LEVELS and seen:
            raise Wrong(f'duplicate log level "{level}"', at)
        if level not in _LEVELS and (level not in _DEBUG_LEVELS or seen in _LEVELS):
            raise Wrong(f'invalid log level "{level}"', at)
        seen = level
    at = directive.arg_positions[0]
    if path.startswith("memory:"):
        assembly.warn("logs to memory are not kept", at)
    syslog = read_syslog(path, at) if path.startswith(PREFIX) else None
    return ErrorLog(path, "debug" if seen in _DEBUG_LEVELS else seen or "error", syslog)


def read_open_log_file_cache(scope: Scope, assembly: Assembly) -> OpenLogFileCache:
    """Return what holds for access logs whose names have variables."""
    directive = scope.one("open_log_file_cache")
    if directive is None:
        return OpenLogFileCache()
    return assembly.read(_read_cache, directive) or OpenLogFileCache()


def _with_limit(cache: OpenLogFileCache, name: str, value: str) -> OpenLogFileCache:
    """Return cache with one parameter set; raises ValueError for what is none."""
    match name:
        case "max":
            return replace(cache, files_max=parse_number(value))
        case "min_uses":
            return replace(cache, min_uses=parse_number(value))
        case "inactive":
            return replace(cache, inactive_s=parse_time(value, least_is_seconds=True))
        case "valid":
            return replace(cache, valid_s=parse_time(value, least_is_seconds=True))
    raise ValueError(name)


def _read_cache(directive: Directive, _: Assembly) -> OpenLogFileCache:
    cache = OpenLogFileCache()
    is_off = False
    for word, at in zip(directive.args, directive.arg_positions, strict=True):
        name, _equals, value = word.partition("=")
        try:
            if word == "off":
                is_off = True
            else:
                cache = _with_limit(cache, name, value)
        except ValueError:
            raise Wrong(f'invalid "open_log_file_cache" parameter "{word}"', at) from None
    if is_off:
        return OpenLogFileCache()
    if not cache.files_max:
        message = '"open_log_file_cache" must have "max" parameter'
        raise Wrong(message, directive.arg_positions[0])
    return cache

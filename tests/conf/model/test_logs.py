"""Formats and logs."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.model import AccessLog
from upwire.conf.model.types.logs import OpenLogFileCache


def _logs(text: str) -> tuple[AccessLog, ...]:
    return (
        http(f"log_format a b; log_format Mine $status; {text} server {{ }}")
        .servers[0]
        .settings.access_logs
    )


def test_the_default_is_combined() -> None:
    (log,) = _logs("")
    assert (log.path.text, log.format.name) == ("logs/access.log", "combined")


def test_off_wins_over_all_others_of_its_level() -> None:
    assert _logs("access_log a; access_log off;") == ()


def test_names_of_formats_have_no_case() -> None:
    assert [log.format.name for log in _logs("access_log a mine; access_log b COMBINED;")] == [
        "Mine",
        "combined",
    ]


def test_gzip_brings_a_buffer() -> None:
    (log,) = _logs("access_log a Mine gzip;")
    assert (log.gzip_level, log.buffer_octets) == (1, 65536)
    (log,) = _logs("access_log a Mine gzip=9 buffer=1k;")
    assert (log.gzip_level, log.buffer_octets) == (9, 1024)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("access_log a none;", 'unknown log format "none"'),
        ("access_log a combined buffer=x;", 'invalid buffer size "x"'),
        ("access_log a combined flush=x;", 'invalid flush time "x"'),
        ("access_log a combined gzip=x;", 'invalid compression level "x"'),
        ("access_log a combined flush;", 'invalid parameter "flush"'),
        ("access_log syslog:server=a combined buffer=1k;", "logs to syslog cannot be buffered"),
        ("log_format a escape=x y;", 'unknown log format escaping "x"'),
        ("log_format a b; log_format a c;", 'duplicate "log_format" name "a"'),
        ("access_log off combined;", 'invalid parameter "combined"'),
        ("access_log a combined flush=1s;", 'no buffer is defined for access_log "a"'),
        ("access_log $uri combined gzip;", "buffered logs cannot have variables in name"),
        ("access_log a b; log_format b c;", 'unknown log format "b"'),
        ("access_log a combined gzip=10;", 'invalid compression level "10"'),
        ("error_log a debug_http warn;", 'duplicate log level "warn"'),
        ("error_log a warn debug_http;", 'invalid log level "debug_http"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(text) == [message]


def test_a_format_that_was_dropped_is_not_missed() -> None:
    text = "log_format a; access_log x a; server { }"
    assert faults(text) == ['invalid number of arguments in "log_format" directive']


def test_formats() -> None:
    formats = http("log_format a '$uri ' \"$args\"; log_format b escape=none x;").log_formats
    assert (formats["a"].template.text, formats["a"].escape) == ("$uri $args", "default")
    assert (formats["b"].template.text, formats["b"].escape) == ("x", "none")


def test_conditions_and_times() -> None:
    (log,) = _logs("access_log a Mine buffer=1k flush=2s if=$uri;")
    assert log.condition is not None
    assert (log.condition.text, log.flush_s) == ("$uri", 2)


@pytest.mark.parametrize(
    ("levels", "level"),
    [("", "error"), ("warn", "warn"), ("debug_http", "debug"), ("debug_http debug_core", "debug")],
)
def test_levels(levels: str, level: str) -> None:
    (log,) = http(f"error_log a {levels}; server {{ }}").servers[0].settings.error_logs
    assert (log.path, log.level) == ("a", level)


def test_logs_to_memory_are_warned_of() -> None:
    (warning,) = http("error_log memory:32k debug; server { }").warnings
    assert (warning.severity, warning.message) == ("warn", "logs to memory are not kept")


def test_files_that_stay_open() -> None:
    def cache(text: str) -> OpenLogFileCache:
        return http(f"{text} server {{ }}").servers[0].settings.open_log_file_cache

    assert cache("") == OpenLogFileCache()
    given = cache("open_log_file_cache max=2 inactive=1m valid=2m min_uses=3;")
    assert given == OpenLogFileCache(2, 60.0, 120.0, 3)
    assert cache("open_log_file_cache max=2 off;") == OpenLogFileCache()
    assert faults("open_log_file_cache min_uses=x; server { }") == [
        'invalid "open_log_file_cache" parameter "min_uses=x"'
    ]
    assert faults("open_log_file_cache max=2 lru; server { }") == [
        'invalid "open_log_file_cache" parameter "lru"'
    ]
    assert faults("open_log_file_cache valid=1m; server { }") == [
        '"open_log_file_cache" must have "max" parameter'
    ]

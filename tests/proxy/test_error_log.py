"""The error log's lines and levels."""

from __future__ import annotations

import logging
import os
import re
import socket
from pathlib import Path

from upwire.conf.model import ErrorLog
from upwire.conf.model.types.logs import Syslog
from upwire.errors import Problem
from upwire.proxy.error_log import (
    LEVELS,
    LINE_OCTETS,
    ErrorLogger,
    ErrorLogHandler,
    describe_error,
    format_line,
)
from upwire.proxy.log_file import LogFiles


def test_a_line() -> None:
    line = format_line("warn", "what\r\nhappened \xe9", connection=5).decode("latin-1")
    pid = os.getpid()
    stamp = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{stamp} \[warn\] {pid}#{pid}: \*5 what\\x0D\\x0Ahappened \xe9", line)
    assert f"{pid}#{pid}: nobody" in format_line("info", "nobody").decode()


def test_levels_choose_the_lines(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    logs = [ErrorLog("warn", "warn"), ErrorLog("all", "debug_http"), ErrorLog("memory:1k", "debug")]
    logger = ErrorLogger(logs, files)
    for level in ("debug", "info", "warn", "error", "emerg"):
        logger.write(level, level, context=", context")
    files.close()
    assert (tmp_path / "warn").read_text().count(", context") == 3
    assert (tmp_path / "all").read_text().count(", context") == 5
    assert sorted(os.listdir(tmp_path)) == ["all", "warn"]


def test_a_long_line_is_cut() -> None:
    assert len(format_line("info", "x" * 10_000)) == LINE_OCTETS


def test_a_syslog_server_gets_each_level_as_its_severity(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))
        target = Syslog("", 0, str(tmp_path / "s"), facility=0)
        files = LogFiles(str(tmp_path))
        logger = ErrorLogger([ErrorLog("syslog:", "info", target)], files)
        logger.write("debug", "unseen")
        for severity, level in enumerate(LEVELS[:-1]):
            logger.write(level, "seen")
            received = server.recv(1000)
            assert received.startswith(b"<%d>" % severity)
            assert received.endswith(b" seen")
        files.close()


def test_nothing_is_on_without_logs(tmp_path: Path) -> None:
    logger = ErrorLogger([], LogFiles(str(tmp_path)))
    assert not logger.is_on("emerg")
    logger.write("emerg", "nowhere")


def test_a_problem_of_a_configuration(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    logger = ErrorLogger([ErrorLog("log")], files)
    logger.write_problem(Problem("bad", "f", 1, 2))
    files.close()
    assert (tmp_path / "log").read_text().endswith(": bad in f:1:2\n")


def test_what_the_layers_below_log(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    logger = ErrorLogger([ErrorLog("log", "info")], files)
    handler = ErrorLogHandler(lambda: logger)
    below = logging.Logger("below", logging.DEBUG)
    below.addHandler(handler)
    below.warning("seen %d", 1)
    below.debug("unseen")
    try:
        raise ValueError("cause")
    except ValueError:
        below.exception("failed")
    files.close()
    text = (tmp_path / "log").read_text()
    assert "[warn]" in text
    assert "seen 1" in text
    assert "unseen" not in text
    assert "failed: Traceback" in text
    assert len(text.splitlines()) == 2


def test_an_error_of_the_system() -> None:
    assert describe_error(OSError(111, "x")) == "(111: Connection refused)"

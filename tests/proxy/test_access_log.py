"""Lines of access logs, and where they go."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kit.proxy_site import read_conf
from upwire.conf.model import LogFormat
from upwire.conf.variables import Template
from upwire.proxy.access_log import AccessLogger, format_line
from upwire.proxy.log_file import LogFiles
from upwire.proxy.open_log_files import OpenLogFiles

VALUES = {"plain": "a b", "odd": 'q"\\\x1b\n\x7f\xe9', "empty": "", "path": "dynamic", "yes": "1"}


@pytest.mark.parametrize(
    ("escape", "line"),
    [
        ("default", b"[a b] [q\\x22\\x5C\\x1B\\x0A\\x7F\\xE9] [] [-]"),
        ("json", b'[a b] [q\\"\\\\\\u001B\\n\x7f\xe9] [] []'),
        ("none", b'[a b] [q"\\\x1b\n\x7f\xe9] [] []'),
    ],
)
def test_values_are_escaped(escape: str, line: bytes) -> None:
    template = Template.compile("[$plain] [$odd] [$empty] [$missing]")
    assert format_line(LogFormat("x", template, escape), VALUES.get) == line


def logger(directives: str, folder: Path) -> tuple[AccessLogger, LogFiles]:
    files = LogFiles(str(folder))
    formats = "log_format brief $uri; map $uri $plain { default x; } map $uri $yes { default 1; }"
    formats += "map $uri $path { default x; } map $uri $empty { default x; }"
    config = read_conf(f"{formats} server {{ {directives} }}")
    settings = config.servers[0].settings
    open_files = OpenLogFiles(settings.open_log_file_cache, files.report)
    return AccessLogger(settings.access_logs, files, open_files), files


def test_conditions_choose_the_lines(tmp_path: Path) -> None:
    log, files = logger(
        "access_log all.log brief; access_log yes.log brief if=$yes;"
        "access_log no.log brief if=$empty;",
        tmp_path,
    )
    assert log.write(VALUES.get) is None
    files.close()
    assert (tmp_path / "all.log").read_bytes() == b"-\n"
    assert (tmp_path / "yes.log").read_bytes() == b"-\n"
    assert (tmp_path / "no.log").read_bytes() == b""


def test_a_name_with_variables(tmp_path: Path) -> None:
    log, files = logger("access_log $path.log brief;", tmp_path)
    root = {"document_root": str(tmp_path)}
    assert log.write((VALUES | root).get) is None
    failure = log.write(({"path": "no/such/folder"} | root).get)
    assert isinstance(failure, FileNotFoundError)
    assert failure.filename == f"{tmp_path}/no/such/folder.log".encode()
    failure = log.write((VALUES | {"path": "other", "document_root": "/no/root"}).get)
    assert isinstance(failure, FileNotFoundError)
    assert failure.filename == "/no/root"
    assert isinstance(log.write(VALUES.get), FileNotFoundError)
    files.close()
    assert not (tmp_path / "other.log").exists()
    assert (tmp_path / "dynamic.log").read_bytes() == b"-\n"


def test_a_buffer_waits(tmp_path: Path) -> None:
    log, files = logger("access_log all.log brief buffer=4;", tmp_path)
    log.write(VALUES.get)
    assert (tmp_path / "all.log").read_bytes() == b""
    for _ in range(2):
        log.write(VALUES.get)
    assert (tmp_path / "all.log").read_bytes() == b"-\n" * 2
    files.close()
    assert (tmp_path / "all.log").read_bytes() == b"-\n" * 3


def test_a_syslog_server_gets_lines(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))
        log, files = logger(f"access_log syslog:server=unix:{tmp_path}/s brief;", tmp_path)
        assert log.write(VALUES.get) is None
        assert server.recv(1000).endswith(b" nginx: -")
        files.close()

"""Messages to a syslog server: RFC 3164's header, and servers that are not there."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from upwire.conf.model.types.logs import Syslog
from upwire.errors import ConfigError
from upwire.proxy.syslog import SyslogWriter


def server() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(10)
    return sock


class Reports(list[tuple[str, str]]):
    def __call__(self, level: str, message: str) -> None:
        self.append((level, message))


def test_a_message_has_the_header_of_the_standard() -> None:
    reports = Reports()
    with server() as sock:
        host, port = sock.getsockname()
        writer = SyslogWriter(Syslog(host, port), reports)
        writer.write_line(b"what \xe9")
        received = sock.recv(1000).decode("latin-1")
        name = re.escape(socket.gethostname().lower())
        stamp = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
        assert re.fullmatch(rf"<190>{stamp} {name} nginx: what \xe9", received)

        writer.close()
        target = Syslog(host, port, facility=1, severity=1, tag="SEE", has_hostname=False)
        writer = SyslogWriter(target, reports)
        writer.write_line(b"")
        assert re.fullmatch(rf"<9>{stamp} SEE: ", sock.recv(1000).decode())
        writer.write_line(b"x", severity=3)
        assert sock.recv(1000).startswith(b"<11>")
        writer.close()
        writer.close()
        writer.write_line(b"x")
        assert sock.recv(1000)
        writer.close()
    assert not reports


def test_a_server_behind_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    reports = Reports()
    writer = SyslogWriter(Syslog("", 0, path), reports)
    writer.write_line(b"lost")
    writer.write_line(b"lost, and known to be")
    (report,) = reports
    assert report == (
        "error",
        "send() failed (2: No such file or directory) while logging to syslog,"
        f" server: unix:{path}",
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(10)
        writer.write_line(b"found")
        assert sock.recv(1000).endswith(b": found")
    writer.write_line(b"lost anew")
    assert len(reports) == 2
    writer.close()


def test_a_report_may_come_back() -> None:
    with server() as sock:
        host, port = sock.getsockname()
    seen = []

    def report(level: str, message: str) -> None:
        seen.append(message)
        writer.write_line(message.encode())

    writer = SyslogWriter(Syslog(host, port), report)
    for _ in range(3):  # the first finds out that nobody is there
        writer.write_line(b"lost")
    assert seen
    writer.close()


def test_a_server_that_is_nowhere() -> None:
    with pytest.raises(ConfigError, match=r'host not found in syslog server "nowhere\.invalid"'):
        SyslogWriter(Syslog("nowhere.invalid", 514), Reports())

"""Log files: appended, buffered, opened anew."""

from __future__ import annotations

import asyncio
import gzip
import os
import time
from pathlib import Path

import pytest

from upwire.conf.model.types.logs import Syslog
from upwire.errors import ConfigError
from upwire.proxy.log_file import STDERR, STDOUT, Buffering, LogFile, LogFiles
from upwire.proxy.privileges import Credentials


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    file = LogFile(str(path))
    file.write_line(b"after")
    file.close()
    file.close()
    assert path.read_text() == "before\nafter\n"


def test_a_full_disk_is_reported_once() -> None:
    reports = []
    file = LogFile("/dev/full", report=lambda *report: reports.append(report))
    for _ in range(3):
        file.write_line(b"lost")
    file.close()
    message = 'write() to "/dev/full" failed (28: No space left on device)'
    assert reports == [("alert", message)]
    LogFile("/dev/full").write_line(b"lost")


def test_a_full_disk_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((0.0, 0.0, 0.0, 0.9, 59.0, 59.0, 59.0, 60.0, 60.0, 60.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    reports = []
    file = LogFile("/dev/full", report=lambda *report: reports.append(report))
    for _ in range(4):  # at 0.9 it is not tried, at 59 it is not said
        file.write_line(b"lost")
    file.close()
    assert len(reports) == 2
    assert next(clock, None) is None


def test_a_report_may_come_to_the_file_that_fails() -> None:
    file = LogFile("/dev/full", report=lambda _, message: file.write_line(message.encode()))
    file.write_line(b"lost")
    file.close()


def test_a_write_that_is_cut_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = []
    file = LogFile(str(tmp_path / "log"), report=lambda *report: reports.append(report))
    monkeypatch.setattr(os, "write", lambda descriptor, octets: 2)
    file.write_line(b"line")
    monkeypatch.undo()
    file.close()
    assert reports == [("alert", f'write() to "{tmp_path}/log" was incomplete: 2 of 5')]


def test_lines_wait_in_a_buffer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(str(path), Buffering(octets=10))
    file.write_line(b"four")
    file.write_line(b"more")
    assert path.read_bytes() == b""
    file.write_line(b"x")
    assert path.read_bytes() == b"four\nmore\n"
    file.write_line(b"longer than the buffer")
    assert path.read_bytes() == b"four\nmore\nx\nlonger than the buffer\n"
    file.close()


def test_a_buffer_is_written_after_a_while(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def act() -> None:
        file = LogFile(str(path), Buffering(octets=1000, flush_s=0.01))
        file.write_line(b"one")
        file.write_line(b"two")
        assert path.read_bytes() == b""
        async with asyncio.timeout(10):
            while not path.read_bytes():  # noqa: ASYNC110  # a file tells nobody
                await asyncio.sleep(0.01)
        file.write_line(b"three")
        file.close()

    asyncio.run(act())
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_each_write_is_packed_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(str(path), Buffering(octets=100, gzip_level=1))
    file.write_line(b"one")
    file.flush()
    assert gzip.decompress(path.read_bytes()) == b"one\n"
    file.write_line(b"two")
    file.close()
    assert gzip.decompress(path.read_bytes()) == b"one\ntwo\n"


def test_a_file_may_lose_its_name(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(str(path))
    assert file.is_still_named()
    path.rename(tmp_path / "log.1")
    assert not file.is_still_named()
    path.touch()
    assert not file.is_still_named()
    file.close()


def test_terminals_are_left_open(capfd: pytest.CaptureFixture[str]) -> None:
    for path in (STDERR, STDOUT):
        file = LogFile(path)
        file.write_line(path.encode())
        file.reopen()
        file.close()
    assert capfd.readouterr() == ("/dev/stdout\n", "stderr\n")


def test_a_file_is_opened_once(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    assert files.open("a") is files.open(str(tmp_path / "a"))
    target = Syslog("127.0.0.1", 514)
    assert files.open_syslog(target) is files.open_syslog(target)
    files.close()


def test_files_are_opened_anew(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    file = files.open("log")
    file.write_line(b"old")
    (tmp_path / "log").rename(tmp_path / "log.1")
    files.reopen()
    file.write_line(b"new")
    files.close()
    assert (tmp_path / "log.1").read_bytes() == b"old\n"
    assert (tmp_path / "log").read_bytes() == b"new\n"


def test_a_file_that_is_not_there_any_more_stays_open(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    files = LogFiles(str(folder))
    files.open("a")
    other = files.open("b")
    os.rename(folder, tmp_path / "moved")
    problems = files.reopen()
    assert [problem.message for problem in problems] == [
        f'open() "{folder}/{name}" failed (2: No such file or directory)' for name in "ab"
    ]
    other.write_line(b"still")
    files.close()
    assert (tmp_path / "moved" / "b").read_bytes() == b"still\n"


def test_a_file_that_is_opened_anew_is_given_to_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given.append((user, group)))
    files = LogFiles(str(tmp_path))
    files.open("log")
    own = os.geteuid()
    assert files.reopen(Credentials("me", own, 0)) == []
    assert given == []
    assert files.reopen(Credentials("other", own + 1, 5)) == []
    assert given == [(own + 1, -1)]
    files.close()


def test_what_goes_wrong_later_is_passed_on(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    files.open("/dev/full").write_line(b"to nobody")
    files.close()
    reports = []
    files.report = lambda *report: reports.append(report)
    files.open("/dev/full").write_line(b"lost")
    assert len(reports) == 1
    files.close()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        LogFiles(str(tmp_path)).open("no/such")
    path = tmp_path / "no/such"
    assert caught.value.problems[0].message == (
        f'open() "{path}" failed (2: No such file or directory)'
    )

"""Log files: appended, buffered, opened anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upwire.errors import ConfigError
from upwire.proxy.log_file import STDERR, STDOUT, LogFile, LogFiles


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    file = LogFile(str(path))
    file.write_line(b"after")
    file.close()
    file.close()
    assert path.read_text() == "before\nafter\n"


def test_a_line_that_cannot_be_written_is_lost() -> None:
    file = LogFile("/dev/full")
    file.write_line(b"lost")
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
    assert files.open_dynamic("a") is files.open("a")
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
    with pytest.raises(FileNotFoundError) as caught:
        files.reopen()
    assert str(caught.value.filename).endswith("a'")
    other.write_line(b"still")
    files.close()
    assert (tmp_path / "moved" / "b").read_bytes() == b"still\n"


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        LogFiles(str(tmp_path)).open("no/such")
    path = tmp_path / "no/such"
    assert caught.value.problems[0].message == (
        f'open() "{path}" failed (2: No such file or directory)'
    )


def test_only_so_many_files_are_kept_open(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    first = files.open_dynamic("0")
    for number in range(1, 70):
        files.open_dynamic(str(number)).write_line(b"x")
    assert files.open_dynamic("0") is not first
    files.close()
    assert (tmp_path / "69").read_bytes() == b"x\n"

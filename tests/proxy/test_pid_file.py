"""The file with the process's number."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upwire.proxy.pid_file import PidFile, read_pid


def test_the_number_is_written_moved_and_removed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    pid_file = PidFile()
    pid_file.remove()
    pid_file.move(str(first))
    assert read_pid(str(first)) == os.getpid()
    first.unlink()
    pid_file.move(str(first))
    assert not first.exists()  # nothing is done where it is to stay
    pid_file.move(str(second))
    assert read_pid(str(second)) == os.getpid()
    pid_file.remove()
    assert not second.exists()


def test_a_folder_that_is_not_there_has_no_file(tmp_path: Path) -> None:
    pid_file = PidFile()
    pid_file.move(str(tmp_path / "first"))
    pid_file.move(str(tmp_path / "no" / "second"))
    assert not (tmp_path / "first").exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        PidFile().move(str(tmp_path))


@pytest.mark.parametrize("text", ["", "\n", "x1\n", "0\n", "-5\n", "é\n"])
def test_what_is_no_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pid"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r".*"):
        read_pid(str(path))

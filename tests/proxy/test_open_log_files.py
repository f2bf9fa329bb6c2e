"""Log files that are found by a name of the request, and how many of them stay open."""

from __future__ import annotations

from pathlib import Path

import pytest

from upwire.conf.model.types.logs import OpenLogFileCache
from upwire.proxy.open_log_files import OpenLogFiles

CACHE = OpenLogFileCache(files_max=2, inactive_s=10, valid_s=60, min_uses=2)


class Site:
    """A folder of logs that may move away: what is open then is written to all the same."""

    def __init__(self, folder: Path, limits: OpenLogFileCache) -> None:
        self.now_s = 0.0
        self._folder = folder / "logs"
        self._moved = folder / "moved"
        self._folder.mkdir()
        self.files = OpenLogFiles(limits, self.report, lambda: self.now_s)

    def report(self, level: str, message: str) -> None:
        raise AssertionError(f"{level}: {message}")

    def write(self, name: str) -> None:
        self.files.write_line(str(self._folder / name), name.encode())

    def is_open(self, name: str) -> bool:
        """Whether a line can be written while the folder is elsewhere."""
        self._folder.rename(self._moved)
        try:
            self.write(name)
        except FileNotFoundError:
            return False
        finally:
            self._moved.rename(self._folder)
        return True

    def lines(self, name: str) -> int:
        return (self._folder / name).read_text().count(name)


def test_nothing_stays_open_by_default(tmp_path: Path) -> None:
    site = Site(tmp_path, OpenLogFileCache())
    site.write("a")
    site.write("a")
    assert not site.is_open("a")
    assert site.lines("a") == 2
    site.files.close()


def test_what_is_used_often_stays_open(tmp_path: Path) -> None:
    site = Site(tmp_path, CACHE)
    site.write("a")
    assert not site.is_open("a")
    site.write("a")
    assert site.is_open("a")
    assert site.is_open("a")
    assert site.lines("a") == 4
    site.files.close()
    assert not site.is_open("a")


def test_the_least_recently_used_is_closed(tmp_path: Path) -> None:
    site = Site(tmp_path, CACHE)
    for name in ("a", "a", "b", "b", "a"):
        site.write(name)
    site.write("c")
    assert site.is_open("a")
    assert not site.is_open("b")
    site.files.close()


def test_what_is_not_used_is_closed(tmp_path: Path) -> None:
    site = Site(tmp_path, CACHE)
    for name in ("a", "a", "b", "b"):
        site.write(name)
    site.now_s = 10
    assert site.is_open("a")
    site.now_s = 11
    assert not site.is_open("b")
    assert site.is_open("a")
    site.files.close()


def test_a_name_is_looked_at_again(tmp_path: Path) -> None:
    limits = OpenLogFileCache(files_max=2, inactive_s=1000, valid_s=60)
    site = Site(tmp_path, limits)
    site.write("a")
    site.now_s = 60
    site.write("a")
    (tmp_path / "logs" / "a").rename(tmp_path / "logs" / "a.1")
    site.now_s = 119
    site.write("a")
    assert not (tmp_path / "logs" / "a").exists()
    site.now_s = 121
    site.write("a")
    assert site.lines("a") == 1
    assert site.lines("a.1") == 0 or (tmp_path / "logs" / "a.1").read_text() == "a\na\na\n"
    site.files.close()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    site = Site(tmp_path, CACHE)
    with pytest.raises(FileNotFoundError):
        site.write("no/such")
    site.files.close()

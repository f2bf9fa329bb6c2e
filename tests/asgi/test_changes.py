"""Changed files, looked for and told: the same answers."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from upwire.asgi import changes
from upwire.asgi.changes import Changes, SoughtChanges, ToldChanges, Wanted, watch
from upwire.errors import UpwireError

DEADLINE_S = 20.0
Open = Callable[[], Changes]


@pytest.fixture(params=["sought", "told"])
def changes_of(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Make the changes below tmp_path, with and without watchfiles."""
    if request.param == "sought":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    opened: list[Changes] = []

    def make() -> Changes:
        opened.append(watch([str(tmp_path)], Wanted(("*.py", "*.html"))))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def wait_for(found: Changes) -> list[str]:
    """Return the next changes; watchfiles gathers them for a moment."""
    until_s = time.monotonic() + DEADLINE_S
    while not (paths := found.have_come()):
        assert time.monotonic() < until_s
        os.sched_yield()
    return paths


def test_files_that_come_change_and_go(tmp_path: Path, changes_of: Open) -> None:
    one, page = tmp_path / "one.py", tmp_path / "deep" / "page.html"
    one.write_text("1")
    page.parent.mkdir()
    found = changes_of()
    assert found.have_come() == []
    page.write_text("new")
    assert wait_for(found) == [str(page.resolve())]
    one.write_text("longer")
    os.utime(one, (1, 1))
    assert wait_for(found) == [str(one.resolve())]
    one.unlink()
    assert wait_for(found) == [str(one.resolve())]


def test_what_is_not_wanted_does_not_count(tmp_path: Path, changes_of: Open) -> None:
    (tmp_path / ".venv").mkdir()
    found = changes_of()
    for name in (".venv/a.py", "b.txt", "c.pyc", "~d.py"):
        (tmp_path / name).write_text("x")
    (tmp_path / "wanted.py").write_text("x")
    assert wait_for(found) == [str((tmp_path / "wanted.py").resolve())]


def test_watchfiles_is_used_where_it_is_there(tmp_path: Path) -> None:
    found = watch([str(tmp_path)], Wanted())
    assert isinstance(found, ToldChanges)
    found.close()


def test_where_watchfiles_fails_files_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert isinstance(watch([str(tmp_path)], Wanted()), SoughtChanges)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UpwireError, match="nowhere is no folder that could be watched"):
        watch([str(tmp_path / "nowhere")], Wanted())


def test_a_folder_that_goes_is_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", changes.__name__, str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

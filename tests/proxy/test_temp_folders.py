"""The folders of temporary files, and whose they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upwire.errors import ConfigError
from upwire.proxy.privileges import Credentials
from upwire.proxy.temp_folders import make_folders

OTHER = Credentials("other", os.geteuid() + 1, 0)


def test_folders_are_made_once(tmp_path: Path) -> None:
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    make_folders(paths, None)
    make_folders(paths, None)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_folders_are_given_to_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(os, "chown", lambda *call: given.append(call))
    path = str(tmp_path / "a")
    os.mkdir(path, 0o050)
    make_folders([path], OTHER)
    assert given == [(path, OTHER.user_id, -1)]
    assert os.stat(path).st_mode & 0o777 == 0o750
    make_folders([path], Credentials("self", os.geteuid(), 0))
    assert len(given) == 1


def test_what_cannot_be_made_or_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "no" / "a")
    with pytest.raises(ConfigError) as caught:
        make_folders([path], None)
    (problem,) = caught.value.problems
    assert problem.message == f'mkdir() "{path}" failed (2: No such file or directory)'

    def refuse(*_: object) -> None:
        raise PermissionError(1, "refused")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(ConfigError, match=r"^chown\(.*\) failed \(1: Operation not permitted\)$"):
        make_folders([str(tmp_path)], OTHER)

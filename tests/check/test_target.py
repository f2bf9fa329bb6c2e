"""Which nginx the checker judges for."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from upwire.check.target import show_version, target_version
from upwire.errors import ConfigError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of the only nginx that is found; there is none at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if path else which(name))
    return tmp_path / "nginx"


def install(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)


def test_the_command_line_goes_first() -> None:
    assert target_version("1.22.1", {"a": "# upwire: nginx 1.18.0\n"}) == (1, 22, 1)


def test_a_comment_goes_before_what_is_installed(installed: Path) -> None:
    install(installed, "echo nginx version: nginx/1.24.0 >&2")
    assert target_version(None, {"a": "# upwire: nginx 1.18.0\n"}) == (1, 18, 0)


def test_what_is_installed_says_nothing_of_files_from_elsewhere(installed: Path) -> None:
    install(installed, "echo nginx version: nginx/1.24.0 >&2")
    assert target_version(None, {}, is_here=False) is None


def test_a_comment_that_names_none_is_wrong() -> None:
    with pytest.raises(ConfigError, match="no version of nginx"):
        target_version(None, {"a": "# upwire: nginx 7.0\n"})


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("echo nginx version: nginx/1.24.0 >&2", (1, 24, 0)),
        ("echo nginx version: openresty/1.25.3.2 >&2", (1, 25, 3)),
        ("echo nginx version: nginx/9.9.9 >&2", None),
        ("echo what >&2", None),
    ],
)
def test_the_installed_one_is_asked(
    installed: Path, answer: str, version: tuple[int, int, int] | None
) -> None:
    install(installed, answer)
    assert target_version(None, {}) == version


def test_without_any_it_is_not_known(installed: Path) -> None:
    assert target_version(None, {}) is None
    assert not installed.exists()


def test_one_that_does_not_run_says_nothing(installed: Path) -> None:
    installed.write_bytes(b"\x7fELF nothing")
    installed.chmod(stat.S_IRWXU)
    assert target_version(None, {}) is None


def test_a_branch_is_shown_as_one() -> None:
    assert show_version((1, 22, 999)) == "1.22"
    assert show_version((1, 22, 1)) == "1.22.1"

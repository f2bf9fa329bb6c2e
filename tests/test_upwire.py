"""What the package gives to those who import it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import upwire


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["version"] == upwire.__version__


def test_every_name_is_there() -> None:
    assert sorted(upwire.__all__) == upwire.__all__
    assert all(hasattr(upwire, name) for name in upwire.__all__)

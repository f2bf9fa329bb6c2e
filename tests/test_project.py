"""What the build promises: the mode of the package under test, and its version."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

import upwire
from upwire import cli
from upwire.wire import _codec

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif("UPWIRE_EXPECT" not in os.environ, reason="UPWIRE_EXPECT names no mode")
def test_the_package_runs_in_the_expected_mode() -> None:
    expected = os.environ["UPWIRE_EXPECT"]
    assert expected in ("compiled", "pure")
    assert f"({expected})" in cli.version()
    assert _codec.is_compiled() == (expected == "compiled")
    is_in_checkout = Path(str(upwire.__file__)).is_relative_to(ROOT / "src")
    assert is_in_checkout == (expected == "pure")


def test_the_version_stands_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert upwire.__version__ == project["version"]


def test_no_compiled_file_lies_among_the_sources() -> None:
    assert not [*(ROOT / "src").rglob("*.so"), *(ROOT / "src").rglob("*.c")]

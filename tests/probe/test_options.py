"""What the command line may say."""

from __future__ import annotations

from typing import Any

import pytest

from upwire.probe.options import ProbeOptions


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "ws://a/", "echo_backend": 1},
        {"echo_backend": 65536},
        {"url": "ws://a/", "parallel": 0},
        {"url": "ws://a/", "parallel": 65},
        {"url": "ws://a/", "timeout": float("nan")},
        {"url": "ws://a/", "idle": 0.0},
        {"url": "ws://a/", "header": ("x",)},
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"take|give|header"):
        ProbeOptions(**given)


def test_fields_and_the_limit() -> None:
    options = ProbeOptions(url="ws://a/", header=("A: b ", "C:d:e"), via=("x",), parallel=3)
    assert options.fields == (("A", "b"), ("C", "d:e"))
    assert options.connections_max == 44

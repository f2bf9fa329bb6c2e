"""The configurations of this repository under its own checker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.check_site import judge_text
from upwire.conf.audit import Severity

_ROOT = Path(__file__).parents[3]

_BLOCKS = [
    (f"{page.name}-{number}", block)
    for page in sorted([_ROOT / "README.md", *(_ROOT / "docs").rglob("*.md")])
    for number, block in enumerate(
        re.findall(r"^```nginx\n(.*?)^```", page.read_text("utf-8"), re.M | re.S), 1
    )
    if not block.startswith("# broken.conf")  # what README has mended
]
_CONTENDERS = sorted(_ROOT.glob("bench/contenders/*/*.conf"))


def _at_level_warning(text: str) -> set[str]:
    verdict = judge_text(text)
    return {one.fault for one in verdict.findings if one.severity >= Severity.WARNING}


def test_the_demo_has_no_fault() -> None:
    text = (_ROOT / "src/upwire/demo/nginx.conf").read_text("utf-8")
    assert _at_level_warning(text.replace("include temporary/*.conf;", "")) == set()


@pytest.mark.parametrize(
    "block", [block for _, block in _BLOCKS], ids=[name for name, _ in _BLOCKS]
)
def test_what_is_shown_has_no_fault(block: str) -> None:
    assert _at_level_warning(block) == set()


@pytest.mark.parametrize("path", _CONTENDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_is_measured_has_no_fault(path: Path) -> None:
    text = re.sub("@[A-Z]+@", "8080", path.read_text("utf-8")).replace("//8080", "//127.0.0.1:8080")
    assert _at_level_warning(text) == set()


def test_all_are_seen() -> None:
    assert len(_BLOCKS) >= 3
    assert len(_CONTENDERS) >= 8

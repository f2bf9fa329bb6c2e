"""musts.toml: the rules of the specifications that we enforce, each with the test that shows it."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MUSTS: list[dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("musts.toml").read_text("utf-8")
)["must"]
CITATION = re.compile(r"RFC \d+ §[\d.]*\d")


def citations(path: Path) -> Iterator[str]:
    """Yield the sections that strings of a module cite, its docstrings left out."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield from CITATION.findall(str(node.value))


@functools.cache
def names_of_tests(path: Path) -> frozenset[str]:
    """Return the names of a file's tests, those in a class as Class::test."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        names |= {
            prefix + member.name
            for member in members
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    return frozenset(names)


@pytest.mark.parametrize("must", MUSTS, ids=lambda must: f"{must['section']} {must['test']}")
def test_each_rule_has_its_test(must: dict[str, str]) -> None:
    assert set(must) == {"section", "rule", "test"}
    assert CITATION.fullmatch(must["section"])
    file, _, test = must["test"].partition("::")
    assert test in names_of_tests(ROOT / file)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src/upwire/wire").rglob("*.py")), ids=lambda path: path.name
)
def test_each_section_that_an_error_cites_has_a_rule(path: Path) -> None:
    missing = set(citations(path)) - {must["section"] for must in MUSTS}
    assert not missing, f"musts.toml has no row for {sorted(missing)}"


def test_no_rule_stands_twice() -> None:
    rows = [(must["section"], must["rule"]) for must in MUSTS]
    assert len(rows) == len(set(rows))

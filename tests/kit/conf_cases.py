"""Reads tests/cases/*.case: a configuration, a line of dashes, and what is expected of it.

Below the dashes, a line each:

    version: 1.22.1             build for this version of nginx
    nginx: 1.29.4+              the real nginx agrees from this version on
    nginx: no, because ...      the real nginx is not asked
    3:9 emerg unknown ...       a fault, at line and column; "-" where it has no place
    servers[0].names[0].kind = EXACT      a fact of the model
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upwire.conf.directives import Version
from upwire.conf.regex import Regex
from upwire.conf.variables import Template
from upwire.errors import Problem

CASES = Path(__file__).parent.parent / "cases"

_DASHES = re.compile(r"^---+\n", re.MULTILINE)
_FAULT = re.compile(r"(-|\d+:\d+) (\w+) (.*)")
_STEP = re.compile(r"\.?(\w+)|\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Case:
    """One file. faults are lines as describe_fault() writes them; facts are path and value.

    nginx_since is the least real nginx that agrees; None: no nginx is asked.
    """

    name: str
    conf: str
    faults: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    version: Version | None
    nginx_since: Version | None


def read_cases() -> list[Case]:
    """Return all cases, by name."""
    return [_read(path) for path in sorted(CASES.glob("*.case"))]


def describe_fault(problem: Problem) -> str:
    """Return a fault as a case file has it, without the file's name."""
    place = f"{problem.line}:{problem.column}" if problem.line else "-"
    return f"{place} {problem.severity} {problem.message}"


def find_fact(model: object, path: str) -> str:
    """Follow a path such as "servers[0].listens[0].port" and return what is there, as text."""
    for name, key in _STEP.findall(path):
        if name:
            model = getattr(model, name)
        elif isinstance(model, Mapping):
            model = model[key]
        else:
            assert isinstance(model, tuple), f"{path}: no tuple at [{key}]"
            model = model[int(key)]
    return _describe(model)


def _describe(value: object) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Template):
        return repr(value.text)
    if isinstance(value, Regex):
        return value.pattern
    if isinstance(value, tuple):
        return f"({', '.join(_describe(item) for item in value)})"
    if isinstance(value, frozenset):
        return " ".join(sorted(value)) or "nothing"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_describe(item)}" for key, item in value.items())
    return str(value)


def _read(path: Path) -> Case:
    conf, expected = _DASHES.split(path.read_text("utf-8"))
    faults: list[str] = []
    facts: list[tuple[str, str]] = []
    version: Version | None = None
    nginx_since: Version | None = (0, 0, 0)
    for line in expected.splitlines():
        if line.startswith("version: "):
            version = parse_version(line.removeprefix("version: "))
        elif line.startswith("nginx: no, "):
            nginx_since = None
        elif line.startswith("nginx: "):
            nginx_since = parse_version(line.removeprefix("nginx: ").removesuffix("+"))
        elif _FAULT.fullmatch(line):
            faults.append(line)
        else:
            fact, equals, value = line.partition(" = ")
            assert equals, f"{path.name}: {line!r} is neither a fault nor a fact"
            facts.append((fact, value))
    return Case(path.stem, conf, tuple(faults), tuple(facts), version, nginx_since)


def parse_version(text: str) -> Version:
    """Return "1.22.1" as three numbers."""
    major, minor, patch = (int(part) for part in text.split("."))
    return major, minor, patch

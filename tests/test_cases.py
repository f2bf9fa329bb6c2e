"""Every configuration of tests/cases gives the faults or the model that stand below its dashes."""

from __future__ import annotations

import pytest

from kit.conf_cases import Case, describe_fault, find_fact, read_cases
from upwire.conf.model import Config, build
from upwire.conf.model.build import NGINX_VERSION
from upwire.conf.syntax import load
from upwire.errors import ConfigError, Problem

_CONF = "nginx.conf"


def _load(case: Case) -> tuple[Config | None, tuple[Problem, ...]]:
    """Return the model, or None, and all that was found wrong."""
    files = {_CONF: case.conf.encode()}

    def read(name: str) -> bytes:
        if name not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[name]

    try:
        config = build(load(_CONF, read), version=case.version or NGINX_VERSION)
    except ConfigError as error:
        return None, error.problems
    return config, config.warnings


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_case(case: Case) -> None:
    config, problems = _load(case)
    assert tuple(describe_fault(problem) for problem in problems) == case.faults
    assert all(problem.file == _CONF for problem in problems if problem.line)
    if config is None:
        assert not case.facts
    else:
        assert [(path, find_fact(config, path)) for path, _ in case.facts] == list(case.facts)


def test_every_case_expects_something() -> None:
    assert all(case.faults or case.facts for case in read_cases())

"""Addresses that cannot be bound, in nginx's words, with the line that asks for them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from kit.proxy_site import read_conf
from upwire.errors import ConfigError, Problem
from upwire.net.listener import Listener
from upwire.proxy.ports import Ports
from upwire.proxy.route import Router


def problem_of(listen: str, folder: Path) -> Problem:
    """Return why an address cannot be opened."""
    config = read_conf(f"server {{ listen {listen}; }}")
    with pytest.raises(ConfigError) as caught:
        Ports(str(folder)).open(config, Router(config))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL])
def test_a_refusal_with_a_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def bind(listener: Listener, host: str | None, port: int) -> None:
        raise ConfigError([Problem("cannot listen")]) from OSError(number, "refused")

    monkeypatch.setattr(Listener, "bind", bind)
    problem = problem_of("[::1]:8000", tmp_path)
    assert problem.mend
    assert problem.message.startswith(f"bind() to [::1]:8000 failed ({number}: ")
    assert problem.line == 1


def test_a_refusal_without_a_mend(tmp_path: Path) -> None:
    path = tmp_path / "none" / "s"
    problem = problem_of(f"unix:{path}", tmp_path)
    assert problem.message == f"bind() to unix:{path} failed (2: No such file or directory)"
    assert problem.line == 1
    assert not problem.mend


def test_a_name_that_is_nowhere(tmp_path: Path) -> None:
    problem = problem_of("nowhere.invalid:80", tmp_path)
    assert problem.message.startswith("cannot listen on nowhere.invalid:80: ")
    assert problem.line == 1

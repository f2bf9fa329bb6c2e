"""The main and events levels."""

from __future__ import annotations

import pytest

from upwire.conf.model import Main, build
from upwire.conf.syntax import parse
from upwire.errors import ConfigError


def _main(text: str) -> Main:
    return build(parse(text)).main


def test_defaults() -> None:
    assert _main("events {}") == Main()


def test_user_with_and_without_a_group() -> None:
    assert _main("user a b; events {}").user == ("a", "b")
    assert _main("user a; events {}").user == ("a", None)


def test_worker_processes() -> None:
    assert _main("worker_processes auto; events {}").worker_processes is None
    assert _main("worker_processes 4; events {}").worker_processes == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker_processes x; events {}", '"worker_processes" directive invalid value'),
        ("events { worker_connections x; }", 'invalid number "x"'),
        ("events {} error_log a loud;", 'invalid log level "loud"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(parse(text))
    assert [problem.message for problem in caught.value.problems] == [message]

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


def test_processors_of_workers() -> None:
    def of_workers(text: str) -> list[set[int]]:
        affinity = _main(f"{text} events {{}}").worker_cpu_affinity
        return [set(affinity.of_worker(index, {2, 4})) for index in range(3)]

    assert of_workers("") == [set(), set(), set()]
    assert of_workers("worker_cpu_affinity 0101 10;") == [{0, 2}, {1}, {1}]
    assert of_workers("worker_cpu_affinity auto;") == [{2}, {4}, {2}]
    assert of_workers("worker_cpu_affinity auto 1010;") == [{1}, {3}, {1}]
    assert of_workers("worker_cpu_affinity auto 0;") == [set(), set(), set()]


def test_priorities() -> None:
    assert _main("worker_priority -5; events {}").worker_priority == -5
    assert _main("worker_priority +5; events {}").worker_priority == 5


def test_masks_have_a_limit() -> None:
    with pytest.raises(ConfigError, match="supports up to 1024 CPUs only"):
        _main(f"worker_cpu_affinity {'0' * 1025}; events {{}}")


def test_masks_that_are_not_as_many_as_the_workers() -> None:
    def warnings(text: str) -> list[str]:
        return [one.message for one in build(parse(f"{text} events {{}}")).warnings]

    assert warnings("worker_cpu_affinity 01 10; worker_processes 2;") == []
    assert warnings("worker_cpu_affinity 01 10; worker_processes auto;") == []
    assert warnings("worker_cpu_affinity 01; worker_processes 3;") == []
    (warning,) = warnings("worker_cpu_affinity 01 10; worker_processes 3;")
    assert warning.endswith("using last mask for remaining worker processes")

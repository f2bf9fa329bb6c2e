"""The names of the benchmarks."""

from __future__ import annotations

from bench.benchmarks import BENCHMARKS, GROUPS


def test_a_group_names_benchmarks_and_is_none() -> None:
    names = {benchmark.name for benchmark in BENCHMARKS}
    for group, members in GROUPS.items():
        assert group not in names
        assert set(members) <= names

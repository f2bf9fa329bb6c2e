"""Rounds in turn, ratios within a round, and what makes a contender void."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from bench.benchmarks import Benchmark, Scenario
from bench.contender import Contender, Unavailable
from bench.sample import Sample, Void

from bench import measure, rounds

SCENARIO = Scenario(50)
BENCHMARK = Benchmark("echo", "Echo", "fake", ("echo",), "messages/s", (), (SCENARIO,))
FIRST, SECOND = (Contender(name, name, Path(), {}) for name in ("first", "second"))


class Fake:
    """Gives prepared values, or raises them; keeps the order in which it was asked."""

    def __init__(self, **values: list[float | Exception]) -> None:
        self._values = values
        self.asked: list[str] = []

    def __call__(self, one: Contender, scenario: Scenario, seconds: float) -> Sample:
        self.asked.append(one.name)
        value = self._values[one.name].pop(0)
        if isinstance(value, Exception):
            raise value
        return Sample(value=value)


def run(monkeypatch: pytest.MonkeyPatch, fake: Fake, count: int) -> list[rounds.Row]:
    monkeypatch.setitem(measure.MEASURES, "fake", fake)
    outcome = rounds.run(BENCHMARK, [FIRST, SECOND], rounds=count, seconds=1)
    return list(outcome.rows[SCENARIO])


def test_contenders_take_turns_and_compare_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(first=[100, 50, 200], second=[200, 100, 300])
    first, second = run(monkeypatch, fake, 3)
    assert fake.asked == ["first", "second"] * 3
    assert (first.median("value"), first.ratio) == (100, 1)
    assert (second.median("value"), second.ratio) == (200, 2)
    assert first.spread == 1.5
    assert first.median("cpu_us") is None
    assert rounds.median_ratio(first.samples, second.samples, "cpu_us") is None


def test_a_benchmark_may_have_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(first=[100], second=[200])
    benchmark = dataclasses.replace(BENCHMARK, max_rounds=1)
    monkeypatch.setitem(measure.MEASURES, "fake", fake)
    rounds.run(benchmark, [FIRST, SECOND], rounds=3, seconds=1)
    assert fake.asked == ["first", "second"]


@pytest.mark.parametrize("error", [Void("wrong 1"), Unavailable("wrong 1")])
def test_one_void_round_voids_the_contender(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fake = Fake(first=[100, 100, 100], second=[200, error])
    first, second = run(monkeypatch, fake, 3)
    assert (second.void, second.samples, second.ratio) == ("wrong 1", [], None)
    assert (second.spread, second.median("value")) == (0, None)
    assert len(first.samples) == 3


def test_without_the_first_contender_there_are_no_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(first=[Void("lost 1")], second=[200])
    _, second = run(monkeypatch, fake, 1)
    assert (second.median("value"), second.ratio) == (200, None)

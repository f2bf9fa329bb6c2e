"""Runs a benchmark in rounds: in each, all contenders one after the other, so that a machine that
slows down or speeds up does it to all of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.benchmarks import Benchmark, Scenario
from bench.contender import Contender, Unavailable
from bench.measure import MEASURES, Sample, Void


@dataclass(frozen=True, slots=True)
class Row:
    """A contender in a scenario. void: why none of its rounds counts, "" if they do.

    ratios: its value to the first contender's of the same round.
    """

    title: str
    samples: Sequence[Sample]
    ratios: Sequence[float]
    void: str = ""

    def median(self, what: str) -> float | None:
        """Return the median of a field of the samples; None where it was not measured."""
        values = [getattr(sample, what) for sample in self.samples]
        return statistics.median(values) if values and None not in values else None

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def spread(self) -> float:
        """How far the rounds lie apart: highest less lowest, as a share of the median."""
        values = [sample.value for sample in self.samples]
        middle = statistics.median(values) if values else 0
        return (max(values) - min(values)) / middle if middle else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rows of each scenario, in the contenders' order."""

    benchmark: Benchmark
    rows: Mapping[Scenario, Sequence[Row]]


def run(
    benchmark: Benchmark, contenders: Sequence[Contender], *, rounds: int, seconds: float
) -> Outcome:
    """Measure every scenario; say what is being measured as it happens."""
    return Outcome(
        benchmark,
        {
            scenario: _run_scenario(benchmark, scenario, contenders, rounds, seconds)
            for scenario in benchmark.scenarios
        },
    )


def _run_scenario(
    benchmark: Benchmark,
    scenario: Scenario,
    contenders: Sequence[Contender],
    rounds: int,
    seconds: float,
) -> list[Row]:
    samples: dict[str, list[Sample]] = {one.name: [] for one in contenders}
    voids: dict[str, str] = {}
    for number in range(rounds):
        for one in contenders:
            if one.name in voids:
                continue
            print(f"{benchmark.name}, {scenario}, round {number + 1}: {one.title}", flush=True)
            try:
                samples[one.name].append(MEASURES[benchmark.measure](one, scenario, seconds))
            except (Void, Unavailable) as error:
                print(f"void: {error}", flush=True)
                voids[one.name] = str(error)
    first = samples[contenders[0].name] if contenders[0].name not in voids else []
    return [
        Row(one.title, [], [], voids[one.name])
        if one.name in voids
        else Row(one.title, samples[one.name], _ratios(samples[one.name], first))
        for one in contenders
    ]


def _ratios(samples: Sequence[Sample], first: Sequence[Sample]) -> list[float]:
    return [own.value / other.value for own, other in zip(samples, first, strict=False)]

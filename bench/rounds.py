"""Runs a benchmark in rounds: in each, all contenders one after the other, so that a machine that
slows down or speeds up does it to all of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.benchmarks import Benchmark, Scenario
from bench.contender import Contender, Unavailable
from bench.measure import MEASURES
from bench.sample import Sample, Void


@dataclass(frozen=True, slots=True)
class Row:
    """A contender in a scenario. void: why none of its rounds counts, "" if they do.

    first: the first contender's samples of the same rounds, which a ratio compares with.
    """

    name: str
    title: str
    samples: Sequence[Sample]
    first: Sequence[Sample]
    void: str = ""

    def median(self, what: str) -> float | None:
        """Return the median of a field of the samples; None where it was not measured."""
        values = [getattr(sample, what) for sample in self.samples]
        return statistics.median(values) if values and None not in values else None

    @property
    def ratio(self) -> float | None:
        """How the value compares with the first contender's, within rounds."""
        return median_ratio(self.samples, self.first, "value")

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


def median_ratio(own: Sequence[Sample], versus: Sequence[Sample], what: str) -> float | None:
    """Return the median of a field's ratios, each of one round; None where there is none."""
    pairs = [
        (getattr(one, what), getattr(other, what)) for one, other in zip(own, versus, strict=False)
    ]
    if not pairs or any(value is None or not base for value, base in pairs):
        return None
    return float(statistics.median(value / base for value, base in pairs))


def run(
    benchmark: Benchmark, contenders: Sequence[Contender], *, rounds: int, seconds: float
) -> Outcome:
    """Measure every scenario; say what is being measured as it happens."""
    if benchmark.max_rounds is not None:
        rounds = min(rounds, benchmark.max_rounds)
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
    first = [] if contenders[0].name in voids else samples[contenders[0].name]
    return [
        Row(one.name, one.title, [], [], voids[one.name])
        if one.name in voids
        else Row(one.name, one.title, samples[one.name], first)
        for one in contenders
    ]

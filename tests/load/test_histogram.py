"""What buckets say about latencies."""

from __future__ import annotations

import pytest

from upwire.load._engine import BUCKETS, bucket_of
from upwire.load.histogram import Histogram, bounds


def histogram(*values: int) -> Histogram:
    counts = [0] * BUCKETS
    for value in values:
        counts[bucket_of(value)] += 1
    return Histogram(counts, max(values, default=0), sum(values))


def test_buckets_follow_each_other() -> None:
    for bucket in range(BUCKETS - 1):
        assert bounds(bucket)[1] == bounds(bucket + 1)[0]


def test_small_values_are_exact() -> None:
    found = histogram(*range(1, 11))
    assert found.count == 10
    assert found.mean_ns == 5.5
    assert [found.percentile_ns(p) for p in (0, 10, 50, 90, 91, 100)] == [1, 1, 5, 9, 10, 10]


@pytest.mark.parametrize("percent", [1, 50, 99, 99.9])
def test_large_values_are_three_percent_from_the_truth(percent: float) -> None:
    values = range(100_000, 1_100_000, 1000)
    truth = values[int(len(values) * percent / 100) - 1]
    assert histogram(*values).percentile_ns(percent) == pytest.approx(truth, rel=0.03)


def test_no_percentile_is_above_the_highest() -> None:
    assert histogram(1_000_001).percentile_ns(99) <= 1_000_001


def test_nothing_measured_is_zero() -> None:
    nothing = histogram()
    assert (nothing.count, nothing.mean_ns, nothing.percentile_ns(50)) == (0, 0, 0)
    assert nothing.by_doubling() == []


def test_a_row_for_each_doubling_also_where_none_fell() -> None:
    assert histogram(0).by_doubling() == [(0, 1, 1)]
    assert histogram(70, 100, 300).by_doubling() == [(64, 128, 2), (128, 256, 0), (256, 512, 1)]

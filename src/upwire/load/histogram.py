"""Latencies in log-linear buckets: at most 3 % from the truth, at any scale, in constant memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
_PER_DOUBLING = 32  # as _engine.bucket_of() has it


def bounds(bucket: int) -> tuple[int, int]:
    """Return the lowest value that a bucket counts, and the lowest that it does not any more."""
    if bucket < 2 * _PER_DOUBLING:
        return bucket, bucket + 1
    shift = bucket // _PER_DOUBLING - 1
    low = (bucket - shift * _PER_DOUBLING) << shift
    return low, low + (1 << shift)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Latencies in nanoseconds. counts: of each bucket; highest_ns and total_ns are exact."""

    counts: Sequence[int]
    highest_ns: int
    total_ns: int

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean_ns(self) -> float:
        return self.total_ns / self.count if self.count else 0.0

    def percentile_ns(self, percent: float) -> float:
        """Return a latency that so many percent of all stay below or reach; 0 where none is."""
        due = max(self.count * percent / 100, 1)
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if seen >= due:
                low, high = bounds(bucket)
                return min((low + high - 1) / 2, self.highest_ns)
        return 0.0

    def by_doubling(self) -> list[tuple[int, int, int]]:
        """Return (from, to, count) in nanoseconds for each doubling between the extremes."""
        rows: dict[int, int] = {}
        for bucket, count in enumerate(self.counts):
            if count:
                exponent = bounds(bucket)[0].bit_length()
                rows[exponent] = rows.get(exponent, 0) + count
        if not rows:
            return []
        return [
            ((1 << exponent) >> 1, 1 << exponent, rows.get(exponent, 0))
            for exponent in range(min(rows), max(rows) + 1)
        ]

"""What a load that is written in Python counts."""

from __future__ import annotations

from upwire.load._engine import BUCKETS, bucket_of
from upwire.load.histogram import Histogram


class Tally:
    """Messages, and what each took."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Count from zero, as after a warm-up."""
        self.messages = 0
        self._buckets = [0] * BUCKETS
        self._highest_ns = 0
        self._total_ns = 0

    @property
    def latency(self) -> Histogram:
        return Histogram(self._buckets, self._highest_ns, self._total_ns)

    def count(self, latency_ns: int, messages: int = 1) -> None:
        """Take so many messages, which came together after that time."""
        self.messages += messages
        self._buckets[bucket_of(latency_ns)] += 1
        self._highest_ns = max(self._highest_ns, latency_ns)
        self._total_ns += latency_ns

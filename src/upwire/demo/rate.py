"""How often something may happen, and how often it did."""

from __future__ import annotations

from collections import deque


class TokenBucket:
    """Allows a burst of so many, and so many per second after it."""

    def __init__(self, *, burst: int, per_s: float, now_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = float(burst)
        self._filled_at_s = now_s

    def reserve(self, now_s: float) -> float:
        """Take a token, be it one that is yet to come; return in how many seconds it is there.

        now_s is a clock that never goes back.
        """
        gained = (now_s - self._filled_at_s) * self._per_s
        self._tokens = min(self._burst, self._tokens + gained) - 1
        self._filled_at_s = now_s
        return max(0.0, -self._tokens / self._per_s)


class Meter:
    """The rate of a counter that only grows, over the last window_s seconds."""

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s = window_s
        self._readings: deque[tuple[float, float]] = deque()

    def per_s(self, count: float, now_s: float) -> float:
        """Take a reading and return the growth per second; 0 at first and after a restart."""
        readings = self._readings
        if readings and count < readings[-1][0]:
            readings.clear()
        readings.append((count, now_s))
        while len(readings) > 2 and readings[1][1] <= now_s - self._window_s:
            readings.popleft()
        oldest_count, oldest_s = readings[0]
        return (count - oldest_count) / (now_s - oldest_s) if now_s > oldest_s else 0.0

"""How often something may happen, and how often it did."""

from __future__ import annotations


class TokenBucket:
    """Allows a burst of so many, and so many per second after it."""

    def __init__(self, *, burst: int, per_s: float, now_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = float(burst)
        self._filled_at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take a token; False if there is none. now_s is a clock that never goes back."""
        gained = (now_s - self._filled_at_s) * self._per_s
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Meter:
    """The rate of a counter that only grows."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def per_s(self, count: float, now_s: float) -> float:
        """Return the growth per second since the last call; 0 at first and after a restart."""
        before, self._before = self._before, (count, now_s)
        if before is None or now_s <= before[1] or count < before[0]:
            return 0.0
        return (count - before[0]) / (now_s - before[1])

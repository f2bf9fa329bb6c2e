"""HTTP dates. RFC 9110 §5.6.7."""

from __future__ import annotations

from calendar import timegm
from email.utils import formatdate, parsedate
from functools import lru_cache


def http_date(time_s: float) -> str:
    """Return seconds since 1970 as a date."""
    return _date_of_second(int(time_s))


def parse_date(value: str) -> int | None:
    """Return the seconds since 1970 of a date, None for what is none."""
    try:
        parts = parsedate(value)
        return timegm(parts) if parts is not None else None
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=16)
def _date_of_second(second: int) -> str:
    return formatdate(second, usegmt=True)

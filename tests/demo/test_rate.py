from __future__ import annotations

import pytest

from upwire.demo.rate import Meter, TokenBucket


def test_a_bucket_allows_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(burst=2, per_s=0.5, now_s=100.0)

    assert [bucket.reserve(100.0) for _ in range(3)] == [0, 0, 2]
    assert bucket.reserve(101.0) == 3  # behind the one before it
    assert bucket.reserve(106.0) == 0


def test_a_bucket_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(burst=2, per_s=10, now_s=0.0)

    assert [bucket.reserve(1000.0) for _ in range(3)] == [0, 0, pytest.approx(0.1)]


def test_a_meter_divides_growth_by_time() -> None:
    meter = Meter()

    assert meter.per_s(100, 10.0) == 0.0
    assert meter.per_s(130, 12.0) == pytest.approx(15.0)
    assert meter.per_s(130, 13.0) == 0.0


def test_a_meter_looks_back_over_its_window() -> None:
    meter = Meter(window_s=1.0)
    rates = [meter.per_s(count, at / 4) for at, count in enumerate([0, 1, 1, 1, 1, 1, 1, 1, 5])]

    assert rates == pytest.approx([0, 4, 2, 4 / 3, 1, 0, 0, 0, 4])


def test_a_meter_survives_a_restart_and_a_clock_that_stands() -> None:
    meter = Meter()
    meter.per_s(100, 10.0)

    assert meter.per_s(5, 11.0) == 0.0
    assert meter.per_s(9, 11.0) == 0.0
    assert meter.per_s(11, 12.0) == pytest.approx(2.0)

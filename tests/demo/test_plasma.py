from __future__ import annotations

import itertools

import pytest

from upwire.demo.plasma import HEIGHT, WAVE_MAX, WIDTH, paint


@pytest.mark.parametrize("number", [0, 1, 1000, 2**31])
def test_a_picture_has_an_octet_for_each_point(number: int) -> None:
    assert len(paint(number)) == WIDTH * HEIGHT


def test_three_waves_never_carry_into_the_next_point() -> None:
    assert 3 * WAVE_MAX < 256
    assert max(max(paint(number)) for number in range(0, 300, 20)) <= 3 * WAVE_MAX


def test_neighbouring_points_and_pictures_differ_little() -> None:
    before, after = paint(500), paint(501)
    row = before[WIDTH * 50 : WIDTH * 51]

    assert before != after
    assert max(abs(one - two) for one, two in zip(before, after, strict=True)) < 64
    assert max(abs(one - two) for one, two in itertools.pairwise(row)) < 64


def test_a_picture_shows_something() -> None:
    assert len(set(paint(123))) > 50

"""A load against an echo server."""

from __future__ import annotations

import json

import pytest

from kit.echo_server import echo_server
from upwire.load import measure
from upwire.load.histogram import Histogram
from upwire.load.measure import Load, Result, Work, frames, open_load, payload
from upwire.wire._codec import mask

CLEAN = Result(
    seconds=2.0,
    messages=4,
    octets=400,
    wrong=0,
    lost=0,
    missing=0,
    busy=0.5,
    latency=Histogram([0, 0, 0, 4], 3, 12),
)


def test_every_echo_is_counted_and_timed() -> None:
    with echo_server() as port:
        work = Work(url=f"ws://127.0.0.1:{port}/", connections=3, in_flight=2, is_text=True)
        with open_load(work) as load:
            load.drive(30, messages=100)
            load.restart()
            assert load.result().messages == 0
            slices: list[Load] = []
            load.drive(30, messages=200, on_slice=slices.append)
            result = load.finish()
    assert result.is_clean
    assert result.messages == result.latency.count == 200
    assert result.octets == 200 * (2 + 32)
    assert result.messages_per_s == pytest.approx(200 / result.seconds)
    assert 0 < result.latency.percentile_ns(50) <= result.latency.highest_ns
    assert slices[-1] is load


def test_what_is_in_flight_at_the_end_is_waited_for() -> None:
    with echo_server() as port:
        work = Work(url=f"ws://127.0.0.1:{port}/", connections=2, in_flight=50)
        with open_load(work) as load:
            load.drive(0.01)
            before = load.result()
            after = load.finish()
    assert after.is_clean
    assert after.messages == before.messages


def test_what_does_not_come_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "DRAIN_S", 0.0)
    with echo_server() as port:
        work = Work(url=f"ws://127.0.0.1:{port}/", connections=2, in_flight=7)
        with open_load(work) as load:
            load.drive(0.01)
            assert load.finish().missing == 14


def test_nothing_is_measured_before_the_start() -> None:
    with echo_server() as port, open_load(Work(url=f"ws://127.0.0.1:{port}/")) as load:
        result = load.result()
    assert (result.messages_per_s, result.busy) == (0, 0)


@pytest.mark.parametrize("is_text", [False, True])
def test_the_echo_is_the_frame_without_its_mask(is_text: bool) -> None:
    work = Work(url="", payload_octets=5, is_text=is_text)
    frame, echo = frames(work)
    content = payload(5, is_text=is_text)
    assert frame[0] == echo[0] == (0x81 if is_text else 0x82)
    assert (frame[1], echo[1]) == (0x85, 0x05)
    assert mask(frame[6:], frame[2:6]) == echo[2:] == content


def test_text_is_text_and_binary_is_not() -> None:
    assert payload(1000, is_text=True).decode("ascii").isalpha()
    assert len(set(payload(1000, is_text=False))) > 200


@pytest.mark.parametrize("field", ["wrong", "lost", "missing"])
def test_one_fault_is_not_clean(field: str) -> None:
    facts = {name: getattr(CLEAN, name) for name in Result.__slots__}
    assert CLEAN.is_clean
    assert not Result(**(facts | {field: 1})).is_clean


def test_the_facts_are_json_in_microseconds() -> None:
    facts = json.loads(json.dumps(CLEAN.to_json()))
    assert facts["messages_per_s"] == 2
    assert facts["latency_us"] == {
        "p50": 0.003,
        "p90": 0.003,
        "p99": 0.003,
        "p99.9": 0.003,
        "mean": 0.003,
        "max": 0.003,
        "histogram": [[0.002, 0.004, 4]],
    }

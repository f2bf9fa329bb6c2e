"""What many handshakes, and silence, mean."""

from __future__ import annotations

import pytest

from upwire.client.url import parse_url
from upwire.probe.asking import Answer
from upwire.probe.cases import Asked, handshake
from upwire.probe.evidence import Evidence, Idle, Opening, Parallel, Silence, Talk
from upwire.probe.lifetime import RULES, known_hop
from upwire.wire.http1 import ResponseHead

ASKED = Asked(parse_url("ws://a.test/"), "dGhlIHNhbXBsZSBub25jZQ==")
REQUEST = handshake(ASKED)
OPEN = Answer(REQUEST, ResponseHead(101, ""))


def answer(status: int) -> Answer:
    return Answer(REQUEST, ResponseHead(status, "") if status else None)


def faults(**given: object) -> list[str]:
    evidence = Evidence(ASKED, {"handshake": OPEN})
    for name, value in given.items():
        setattr(evidence, name, value)
    return [finding.fault for rule in RULES for finding in rule(evidence)]


def openings(*statuses: int, again: int | None = None) -> Parallel:
    made = tuple(Opening(answer(status), 0.01) for status in statuses)
    return Parallel(made, None if again is None else answer(again))


@pytest.mark.parametrize(
    ("parallel", "wanted"),
    [
        (openings(), []),
        (openings(101, 101), []),
        (openings(101, 503, again=101), ["F58"]),
        (openings(101, 503, again=503), ["F59"]),
        (openings(101, 429), ["F59"]),
        (openings(101, 502, again=101), ["F41"]),
        (openings(101, 500, again=101), ["F70"]),
        (openings(101, 0, again=101), ["F70"]),
        (openings(101, 404, again=101), []),
    ],
)
def test_handshakes_at_once(parallel: Parallel, wanted: list[str]) -> None:
    assert faults(parallel=parallel) == wanted


def test_a_refused_handshake_says_nothing_of_many() -> None:
    assert faults(front={"handshake": answer(400)}, parallel=openings(503, 503)) == []


@pytest.mark.parametrize(
    ("times_s", "wanted"),
    [
        ((0.01, 0.51, 1.02), ["F79"]),
        ((0.01, 0.5, 0.52), ["F79"]),
        ((0.01, 0.02, 0.5), []),
        ((0.5, 0.5, 1.0), []),
        ((0.01, 0.25, 0.75), []),
    ],
)
def test_steps_of_half_a_second(times_s: tuple[float, ...], wanted: list[str]) -> None:
    made = tuple(Opening(OPEN, time_s) for time_s in times_s)
    assert faults(parallel=Parallel(made)) == wanted


@pytest.mark.parametrize(
    ("idle", "wanted"),
    [
        (Idle(Silence(9), Silence(9)), []),
        (Idle(Silence(9, close_code=1000), Silence(9)), []),
        (Idle(Silence(9, 5.0), Silence(9)), ["F20", "F21"]),
        (Idle(Silence(9, 5.0), Silence(9, 5.0)), ["F26"]),
        (Idle(Silence(99, 5.0), Silence(99, 5.0)), ["F20"]),
        (Idle(Silence(9, 5.0), Silence(9, 7.0)), ["F20"]),
        (Idle(Silence(9, 5.0), Silence(9, close_code=1001)), ["F20"]),
        (Idle(Silence(99, 60.1), Silence(99)), ["F20", "F21"]),
        (Idle(Silence(400, 350.0), Silence(400)), ["F28", "F21"]),
        (Idle(Silence(9, 5.0), Silence(9), Silence(9, 5.2)), [""]),
        (Idle(Silence(9, 5.0), Silence(9), Silence(9)), ["F20", "F21"]),
    ],
)
def test_silence(idle: Idle, wanted: list[str]) -> None:
    assert faults(idle=idle) == wanted


def test_hops_are_known_by_their_times() -> None:
    assert known_hop(60.2).startswith("nginx")
    assert known_hop(101) == "Cloudflare"
    assert known_hop(30) == ""


def test_an_end_in_haste() -> None:
    assert faults(talk=Talk(outlives_half_close=False)) == ["F27"]
    assert faults(talk=Talk(outlives_half_close=True)) == []

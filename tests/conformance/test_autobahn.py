"""How the Autobahn runner reads and judges reports; the suite itself runs by `make autobahn`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.autobahn import EXPECTED, Outcome, judge, read_expected, read_report, totals

FINE = Outcome("server", "1.1.1", "OK", "OK")
INFORMATIONAL = Outcome("server", "7.13.1", "INFORMATIONAL", "INFORMATIONAL")
FAILED = Outcome("server", "7.9.6", "FAILED", "OK")


def test_a_report_gives_an_outcome_a_case(tmp_path: Path) -> None:
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"upwire": {"1.1.1": {"behavior": "OK", "behaviorClose": "OK"}}}))
    assert read_report(index, "server") == [FINE]


def test_good_outcomes_need_no_explanation() -> None:
    assert judge([FINE, INFORMATIONAL], set()) == []


@pytest.mark.parametrize("behavior", ["FAILED", "NON-STRICT", "UNIMPLEMENTED"])
def test_any_other_behavior_is_wrong(behavior: str) -> None:
    assert judge([Outcome("client", "6.4.1", behavior, "OK")], set()) == [
        f"client 6.4.1: {behavior}, close OK"
    ]


@pytest.mark.parametrize("behavior", ["UNCLEAN", "WRONG CODE", "FAILED BY CLIENT"])
def test_closing_badly_is_wrong_though_the_case_passed(behavior: str) -> None:
    assert judge([Outcome("client", "6.4.1", "OK", behavior)], set()) == [
        f"client 6.4.1: OK, close {behavior}"
    ]


def test_an_explained_failure_is_fine_and_must_happen() -> None:
    assert judge([FINE, FAILED], {FAILED}) == []
    (complaint,) = judge([Outcome("server", "7.9.6", "OK", "OK")], {FAILED})
    assert "did not happen" in complaint


def test_an_explained_failure_of_a_case_that_did_not_run_is_not_missed() -> None:
    assert judge([FINE], {FAILED}) == []


def test_another_failure_than_the_explained_one_is_wrong_twice() -> None:
    assert len(judge([Outcome("server", "7.9.6", "FAILED", "UNCLEAN")], {FAILED})) == 2


def test_the_explained_failures_load() -> None:
    assert all(not outcome.is_good for outcome in read_expected(EXPECTED))


def test_a_failure_without_a_reason_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "failures.toml"
    path.write_text('[[failure]]\nside = "server"\ncase = "1.1.1"\nbehavior = "FAILED"\n')
    with pytest.raises(ValueError, match="no reason"):
        read_expected(path)


def test_totals_count_both_behaviors() -> None:
    assert totals([FINE, FAILED, INFORMATIONAL]) == (
        "3 cases: 1 OK, 1 FAILED, 1 INFORMATIONAL; closing: 2 OK, 1 INFORMATIONAL"
    )

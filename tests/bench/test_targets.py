"""Targets against figures as the harness writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.benchmarks import BENCHMARKS, Scenario
from bench.targets import TARGETS, Target, judge, rows

SAMPLE = {"value": 0.0, "cpu_us": None, "busy": None}


def figures(folder: Path, **contenders: list[dict[str, float]] | str) -> None:
    """Write the facts of a benchmark: rounds of each contender, or why it is void."""
    found = [
        {
            "name": name,
            "void": facts if isinstance(facts, str) else "",
            "rounds": [] if isinstance(facts, str) else [SAMPLE | sample for sample in facts],
        }
        for name, facts in contenders.items()
    ]
    scenario = {"connections": 50, "payload_octets": 32, "in_flight": 1, "held": 0, "rate_per_s": 0}
    facts = {"left_out": {"absent": "no wheel"}, "scenarios": [scenario | {"contenders": found}]}
    (folder / "echo.json").write_text(json.dumps(facts), "utf-8")


def target(
    *, versus: str | None = "theirs", contender: str = "ours", connections: int = 50
) -> Target:
    scenario = Scenario(connections)
    return Target("t", "T", "echo", scenario, 2, contender=contender, versus=versus)


def test_a_ratio_is_the_median_of_the_rounds_ratios(tmp_path: Path) -> None:
    figures(
        tmp_path,
        ours=[{"value": 100}, {"value": 90}, {"value": 10}],
        theirs=[{"value": 50}, {"value": 30}, {"value": 20}],
    )
    verdict = judge(target(), tmp_path)
    assert (verdict.measured, verdict.is_met, verdict.is_load_full) == (2, True, False)
    assert rows([verdict])[1] == ("T", "≥ 2.00", "2.00", "yes")


@pytest.mark.parametrize(("value", "is_met"), [(2000, True), (2001, False)])
def test_a_limit_may_stand_alone(tmp_path: Path, value: float, is_met: bool) -> None:
    figures(tmp_path, ours=[{"value": value, "busy": 0.96}])
    limit = Target("t", "T", "echo", Scenario(50), at_most=2000, contender="ours")
    verdict = judge(limit, tmp_path)
    assert (verdict.is_met, verdict.is_load_full) == (is_met, True)
    assert verdict.to_json()["is_met"] is is_met
    met = "yes" if is_met else "[no](#t)"
    assert rows([verdict])[1] == ("T", "≤ 2,000", f"{value:,}", f"{met}, with the load full")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (target(contender="void"), "void is void: wrong 1"),
        (target(contender="absent"), "absent did not take part: no wheel"),
        (target(versus="other"), "other did not take part: was not asked to"),
        (target(versus="idle"), "idle has no value"),
        (target(connections=7), "the scenario was not measured"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, asked: Target, reason: str) -> None:
    figures(tmp_path, ours=[{"value": 1}], void="wrong 1", idle=[{"value": 0}])
    verdict = judge(asked, tmp_path)
    assert (verdict.is_met, verdict.missing) == (None, reason)
    assert rows([verdict])[1] == ("T", "≥ 2.00", "", f"? {reason}")


def test_without_figures_nothing_is_known(tmp_path: Path) -> None:
    assert judge(target(), tmp_path).missing == "not measured"


@pytest.mark.parametrize("one", TARGETS, ids=lambda one: one.name)
def test_each_target_asks_for_what_is_measured(one: Target) -> None:
    (benchmark,) = (found for found in BENCHMARKS if found.name == one.benchmark)
    assert one.scenario in benchmark.scenarios
    assert {one.contender, one.versus} - {None} <= set(benchmark.contenders)
    assert (one.at_least is None) is not (one.at_most is None)


def test_the_names_of_targets_differ() -> None:
    assert len({one.name for one in TARGETS}) == len(TARGETS)

"""Outcomes of benchmarks as tables, sections, JSON and plots."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest
from bench.benchmarks import Benchmark, Scenario
from bench.machine import Machine, describe
from bench.report import Circumstances
from bench.rounds import Outcome, Row
from bench.sample import Sample

from bench import plot, report

BENCHMARK = Benchmark(
    "echo", "Echo & more", "echo", ("echo",), "messages/s", ("ours", "theirs"), (Scenario(50),)
)
SAMPLES = [
    Sample(value=value, cpu_us=7.5, memory_octets=2_000_000, busy=0.97)
    for value in (1000, 1200, 1100)
]
OURS = Row("ours", "upwire", SAMPLES, SAMPLES)
THEIRS = Row("theirs", "other", [], [], "3 echoes, wrong 1")
OUTCOME = Outcome(BENCHMARK, {Scenario(50): [OURS, THEIRS]})
CIRCUMSTANCES = Circumstances(
    Machine("a processor", 2, 24.0, "Linux", "3.11", "2026-01-02"),
    "python -m bench echo",
    3,
    1.5,
    {"ours": "upwire 1", "theirs": ""},
    {"third": "no package"},
)


def test_a_table_has_medians_and_leaves_out_what_nobody_measured() -> None:
    assert report.tables(OUTCOME) == [
        "**50 : 32 B**, messages/s",
        "",
        "|        | median | spread | ratio | CPU, µs | CPU ratio | memory, MB | load |",
        "|--------|--------|--------|-------|---------|-----------|------------|------|",
        "| upwire |  1,100 |    18% |  1.00 |     7.5 |      1.00 |        2.0 |  97% |",
        "| other  |   void |        |       |         |           |            |      |",
        "",
        "The load generator's core was full with upwire: the rate may be its limit, and CPU says "
        "more.",
        "",
    ]


def test_what_a_connection_weighs_is_in_kilobytes() -> None:
    sample = Sample(value=1, connection_octets=17_700.0, upstream_octets=1234.0)
    row = Row("ours", "upwire", [sample], [sample])
    lines = report.tables(Outcome(BENCHMARK, {Scenario(50): [row]}))
    assert lines[2].endswith("| a connection, kB | behind it, kB |")
    assert lines[4].endswith("|             17.7 |           1.2 |")


def test_a_section_says_how_the_figures_came_about() -> None:
    lines = report.section(OUTCOME, CIRCUMSTANCES, "performance/echo.svg")
    assert lines[0] == "![Echo & more](performance/echo.svg)"
    assert lines[-2:] == [
        "`python -m bench echo`: 3 rounds of 1.5 s, 2 cores of a processor, 24 GiB, Linux, "
        "Python 3.11, 2026-01-02. upwire 1.",
        "Left out: third: no package",
    ]


def test_json_has_every_round() -> None:
    facts = json.loads(json.dumps(report.to_json(OUTCOME, CIRCUMSTANCES)))
    ours, theirs = facts["scenarios"][0]["contenders"]
    assert [sample["value"] for sample in ours["rounds"]] == [1000, 1200, 1100]
    assert (ours["median"], ours["ratio"]) == (1100, 1.0)
    assert (theirs["median"], theirs["void"]) == (None, "3 echoes, wrong 1")
    assert facts["machine"]["cores"] == 2


def test_a_plot_has_a_bar_for_each_that_is_not_void() -> None:
    picture = ElementTree.fromstring(plot.draw(OUTCOME))
    space = "{http://www.w3.org/2000/svg}"
    assert picture.findtext(f"{space}title") == "Echo & more"
    (bar,) = picture.iter(f"{space}rect")
    assert bar.get("fill") == plot.OURS
    assert float(bar.get("width", "0")) == plot.WIDTH - plot.LABEL - plot.VALUE


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        (Scenario(50), "50 : 32 B"),
        (Scenario(500, 16 * 1024), "500 : 16 KiB"),
        (Scenario(50, in_flight=16), "50 : 32 B, 16 in flight"),
        (Scenario(10_000, rate_per_s=1000), "10,000 : 32 B, 1,000 a second"),
        (Scenario(20, held=5000), "20 : 32 B, beside 5,000"),
    ],
)
def test_a_scenario_says_what_it_is(scenario: Scenario, text: str) -> None:
    assert str(scenario) == text


def test_the_machine_describes_itself() -> None:
    found = describe()
    assert found.processor
    assert f"{found.cores} cores of {found.processor}" in str(found)

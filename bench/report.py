"""Outcomes as a table in Markdown, as JSON, and as a section of docs/performance.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from bench.machine import Machine
from bench.rounds import Outcome, Row, median_ratio
from bench.targets import FULL

HEADER = (
    *("", "median", "spread", "ratio", "CPU, µs", "CPU ratio", "p50, µs", "p99, µs"),
    *("memory, MB", "a connection, kB", "behind it, kB", "load"),
)
"""Of a table, whose columns without any figure are left out."""


@dataclasses.dataclass(frozen=True, slots=True)
class Circumstances:
    """How figures came about. left_out: contenders that could not take part, and why."""

    machine: Machine
    command: str
    rounds: int
    seconds: float
    versions: Mapping[str, str]
    left_out: Mapping[str, str]


def tables(outcome: Outcome) -> list[str]:
    """Return a Markdown table for each scenario."""
    lines: list[str] = []
    for scenario, rows in outcome.rows.items():
        lines += [f"**{scenario}**, {outcome.benchmark.unit}", ""]
        lines += [*table([HEADER, *(_cells(row) for row in rows)]), *_full_loads(rows), ""]
    return lines


def section(outcome: Outcome, circumstances: Circumstances, plot: str) -> list[str]:
    """Return the lines of a benchmark for the documentation; plot: where its picture is."""
    versions = "; ".join(text for text in circumstances.versions.values() if text)
    return [
        f"![{outcome.benchmark.title}]({plot})",
        "",
        *tables(outcome),
        f"`{circumstances.command}`: {circumstances.rounds} rounds of "
        f"{circumstances.seconds:g} s, {circumstances.machine}. {versions}.",
        *(f"Left out: {name}: {reason}" for name, reason in circumstances.left_out.items()),
    ]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a header and rows, without the columns that are empty in all of them."""
    columns = [column for column in zip(*rows, strict=True) if not column[0] or any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [cell.ljust(width) if index == 0 else cell.rjust(width) for cell in column]
        for index, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in zip(*padded, strict=True)]
    rule = "|".join("-" * (width + 2) for width in widths)
    return [lines[0], f"|{rule}|", *lines[1:]]


def to_json(outcome: Outcome, circumstances: Circumstances) -> dict[str, object]:
    """Return all facts, each round of each contender among them."""
    return {
        "benchmark": outcome.benchmark.name,
        "unit": outcome.benchmark.unit,
        **dataclasses.asdict(circumstances),
        "scenarios": [
            {
                **dataclasses.asdict(scenario),
                "contenders": [
                    {
                        "name": row.name,
                        "title": row.title,
                        "void": row.void,
                        "median": row.median("value"),
                        "ratio": row.ratio,
                        "spread": row.spread,
                        "rounds": [dataclasses.asdict(sample) for sample in row.samples],
                    }
                    for row in rows
                ],
            }
            for scenario, rows in outcome.rows.items()
        ],
    }


def _cells(row: Row) -> tuple[str, ...]:
    if row.void:
        return (row.title, "void", *[""] * (len(HEADER) - 2))
    busy = row.median("busy")
    return (
        row.title,
        _number(row.median("value")),
        f"{row.spread:.0%}",
        _ratio(row.ratio),
        _number(row.median("cpu_us")),
        _ratio(median_ratio(row.samples, row.first, "cpu_us")),
        _number(row.median("p50_us")),
        _number(row.median("p99_us")),
        _scaled(row.median("memory_octets"), 1e6),
        _scaled(row.median("connection_octets"), 1e3),
        _scaled(row.median("upstream_octets"), 1e3),
        "" if busy is None else f"{busy:.0%}",
    )


def _full_loads(rows: Sequence[Row]) -> list[str]:
    """Say beside whom the load generator had no core left."""
    full = [row.title for row in rows if (row.median("busy") or 0.0) >= FULL]
    if not full:
        return []
    return [
        "",
        f"The load generator's core was full with {', '.join(full)}: the rate may be its limit, "
        "and CPU says more.",
    ]


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _scaled(octets: float | None, unit: float) -> str:
    return "" if octets is None else f"{octets / unit:.1f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

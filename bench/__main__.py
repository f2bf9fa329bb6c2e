"""Holds Upwire against others on this machine: `python -m bench [NAME ...]`.

Figures go to the terminal and to build/bench/NAME.json; with --document also into
docs/performance.md, with a plot beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import sys
from collections.abc import Sequence

from bench import contender, machine, plot, report
from bench.benchmarks import BENCHMARKS, Benchmark
from bench.contender import BUILD, ROOT, Contender, Unavailable
from bench.measure import CORES
from bench.rounds import run
from upwire.load import _engine
from upwire.wire import _codec

DOCUMENT = ROOT / "docs" / "performance.md"
PLOTS = "performance"


def main() -> int:
    options = _parser().parse_args()
    if not (_codec.is_compiled() and _engine.is_compiled()):
        print("this package is not compiled: its figures would mean nothing", file=sys.stderr)
        return 2
    if len(CORES) < 2:
        print("one core for contender and load together: they would slow each other down")
    os.sched_setaffinity(0, {CORES[-1]})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the contenders inherit it
    is_complete = True
    for benchmark in BENCHMARKS:
        if not options.names or benchmark.name in options.names:
            is_complete &= _run(benchmark, options)
    return 0 if is_complete else 1


def _run(benchmark: Benchmark, options: argparse.Namespace) -> bool:
    """Run one benchmark and write it down; return whether none of its runs was void."""
    names = [name for name in benchmark.contenders if not options.only or name in options.only]
    taking_part, versions, left_out = _prepare(names)
    if not taking_part:
        print(f"{benchmark.name}: nobody can take part")
        return False
    outcome = run(benchmark, taking_part, rounds=options.rounds, seconds=options.seconds)
    circumstances = report.Circumstances(
        machine.describe(),
        shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
        options.rounds,
        options.seconds,
        versions,
        left_out,
    )
    print("", f"{benchmark.title}; {circumstances.machine}", "", sep="\n")
    print("\n".join(report.tables(outcome)))
    facts = json.dumps(report.to_json(outcome, circumstances), indent=1)
    (BUILD / f"{benchmark.name}.json").write_text(facts + "\n", "utf-8")
    picture = plot.draw(outcome)
    (BUILD / f"{benchmark.name}.svg").write_text(picture, "utf-8")
    if options.document:
        place = DOCUMENT.parent / PLOTS / f"{benchmark.name}.svg"
        place.parent.mkdir(exist_ok=True)
        place.write_text(picture, "utf-8")
        lines = report.section(outcome, circumstances, f"{PLOTS}/{place.name}")
        text = report.put_section(DOCUMENT.read_text("utf-8"), benchmark.name, lines)
        DOCUMENT.write_text(text, "utf-8")
    return not any(row.void for rows in outcome.rows.values() for row in rows)


def _prepare(names: Sequence[str]) -> tuple[list[Contender], dict[str, str], dict[str, str]]:
    """Return who takes part, their versions, and who does not and why."""
    taking_part: list[Contender] = []
    versions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name in names:
        one = contender.load(name)
        try:
            versions[name] = contender.prepare(one)
        except Unavailable as error:
            print(f"left out: {one.title}: {error}", flush=True)
            left_out[name] = str(error)
        else:
            taking_part.append(one)
    return taking_part, versions, left_out


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each time (3)")
    parser.add_argument("--only", action="append", metavar="CONTENDER", help="may be repeated")
    parser.add_argument(
        "--document", action="store_true", help="write the tables into docs/performance.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

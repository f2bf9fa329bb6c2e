"""Holds Upwire against others on this machine: `python -m bench [NAME ...]`.

Figures go to the terminal and to build/bench/NAME.json as each benchmark is done; with --document
also into docs/performance.md, with a plot beside it. At the end stands what the figures in
build/bench, of this run or an earlier one, say about the targets.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import resource
import shlex
import signal
import sys
import time
from collections.abc import Sequence

from bench import contender, document, machine, plot, report, targets
from bench.benchmarks import BENCHMARKS, GROUPS, Benchmark
from bench.contender import BUILD, ROOT, Contender, Unavailable
from bench.measure import CORES
from bench.rounds import run

DESCRIPTORS = 65536
QUICK = (1, 0.5)
"""Rounds and seconds that show whether all works, and nothing about speed."""


def main() -> int:
    options = _parser().parse_args()
    wanted = {one for name in options.names for one in GROUPS.get(name, (name,))}
    if unknown := wanted - {benchmark.name for benchmark in BENCHMARKS} - {"targets"}:
        print(f"no benchmark is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if pure := [name for name in _compiled_modules() if not _is_compiled(name)]:
        print(f"not compiled: {', '.join(pure)}; figures would mean nothing", file=sys.stderr)
        return 2
    if len(CORES) < 2:
        print("one core for contender and load together: they would slow each other down")
    os.sched_setaffinity(0, {CORES[-1]})
    _raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended on the way
    BUILD.mkdir(parents=True, exist_ok=True)
    start_s = time.monotonic()
    is_complete = True
    try:
        for benchmark in BENCHMARKS:
            if not wanted or benchmark.name in wanted:
                is_complete &= _run(benchmark, options)
    except KeyboardInterrupt:
        print("\nended early; what was done is in build/bench", file=sys.stderr)
        return 130
    _judge(options)
    print(f"\n{(time.monotonic() - start_s) / 60:.0f} minutes")
    return 0 if is_complete else 1


def _run(benchmark: Benchmark, options: argparse.Namespace) -> bool:
    """Run one benchmark and write it down; return whether none of its runs was void."""
    names = [name for name in benchmark.contenders if not options.only or name in options.only]
    taking_part, versions, left_out = _prepare(names)
    if not taking_part:
        print(f"{benchmark.name}: nobody can take part")
        return False
    rounds, seconds = QUICK if options.quick else (options.rounds, options.seconds)
    outcome = run(benchmark, taking_part, rounds=rounds, seconds=seconds)
    circumstances = report.Circumstances(
        machine.describe(),
        shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
        rounds,
        seconds,
        versions,
        left_out,
    )
    print("", f"{benchmark.title}; {circumstances.machine}", "", sep="\n")
    print("\n".join(report.tables(outcome)))
    _write(benchmark.name, report.to_json(outcome, circumstances))
    picture = plot.draw(outcome)
    (BUILD / f"{benchmark.name}.svg").write_text(picture, "utf-8")
    if options.document:
        place = document.put_picture(benchmark.name, picture)
        document.put_section(benchmark.name, report.section(outcome, circumstances, place))
    return not any(row.void for rows in outcome.rows.values() for row in rows)


def _judge(options: argparse.Namespace) -> None:
    """Print and write down what the latest figures say about the targets."""
    verdicts = [targets.judge(target, BUILD) for target in targets.TARGETS]
    table = report.table(targets.rows(verdicts))
    print("", "Targets", "", *table, sep="\n")
    _write("targets", [verdict.to_json() for verdict in verdicts])
    if options.document:
        document.put_section("targets", table)
        unmet = [one.target for one in verdicts if one.is_met is False]
        document.make_room([(target.name, target.text) for target in unmet])


def _write(name: str, facts: object) -> None:
    (BUILD / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


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


def _compiled_modules() -> list[str]:
    """Return what setup.py compiles where it can."""
    return re.findall(r'"(upwire[.\w]+)"', (ROOT / "setup.py").read_text("utf-8"))


def _is_compiled(name: str) -> bool:
    return not str(importlib.import_module(name).__file__).endswith(".py")


def _raise_descriptor_limit() -> None:
    """Raise the limit on open files as far as this process may; the contenders inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, DESCRIPTORS), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except ValueError:  # only root raises the hard one
            continue
        break


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    names = [*(benchmark.name for benchmark in BENCHMARKS), *GROUPS, "targets"]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each time (2)")
    parser.add_argument("--only", action="append", metavar="CONTENDER", help="may be repeated")
    parser.add_argument(
        "--quick", action="store_true", help="show in short that all works; no figures to keep"
    )
    parser.add_argument(
        "--document", action="store_true", help="write the tables into docs/performance.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

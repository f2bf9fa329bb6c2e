"""`make nginx-tests NGINX_TESTS=FOLDER`: files of nginx's own test suite against `upwire proxy`.

FOLDER is a checkout of github.com/nginx/nginx-tests, which needs Perl. nginx_tests.txt names the
files, and how many asserts nginx passes in each. Exits with 1 where one of them does not pass.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import upwire

assert upwire.__file__ is not None
PACKAGE = Path(upwire.__file__).resolve().parents[1]
"""Where the package under test is imported from."""

TABLE = Path(__file__).with_name("nginx_tests.txt")
LIMIT_S = 60.0
JOBS = 2
_MARK = "UPWIRE_NGINX_TESTS"
_LINE = re.compile(r"(not )?ok \d+(?:.*?# (skip|todo))?", re.I)
_PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?", re.I)


@dataclass(frozen=True, slots=True)
class Named:
    """A file of the suite. group: such as "T1 upstream". asserts: how many nginx passes."""

    group: str
    name: str
    asserts: int

    @property
    def tier(self) -> str:
        """The first word of the group."""
        return self.group.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Tap:
    """What a file printed in the Test Anything Protocol. planned is None where it died before."""

    planned: int | None = None
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    excused: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file went."""

    file: Named
    tap: Tap
    status: int | None  # None: it took longer than the limit
    duration_s: float

    @property
    def has_passed(self) -> bool:
        """Whether every assert held that holds for nginx, and none failed."""
        tap = self.tap
        done = tap.passed + tap.skipped + tap.excused
        is_complete = self.status == 0 and tap.failed == 0 and done == tap.planned
        return is_complete and tap.passed >= self.file.asserts

    def __str__(self) -> str:
        verdict = "PASS" if self.has_passed else "FAIL" if self.status is not None else "TIMEOUT"
        facts = [f"{self.tap.passed} of {max(self.file.asserts, self.tap.passed)} asserts"]
        if self.tap.skipped:
            facts.append(f"{self.tap.skipped} skipped")
        if self.tap.reason:
            facts.append(f"skipped: {self.tap.reason}")
        return f"{verdict:7} {self.file.name:45} {', '.join(facts)}, {self.duration_s:.1f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the files and print a table; 0 where all have passed, 2 where they cannot be run."""
    options = _parse(arguments)
    suite: Path = options.suite.resolve()
    if not (suite / "lib" / "Test" / "Nginx.pm").is_file():
        print(f"{suite} is no checkout of nginx-tests", file=sys.stderr)
        return 2
    files = [one for one in read_table(TABLE) if not options.only or one.name in options.only]
    with tempfile.TemporaryDirectory(prefix="nt-") as folder, ThreadPoolExecutor(JOBS) as pool:
        os.chmod(folder, 0o755)  # workers that have given up root look into it
        binary = options.binary or _write_binary(Path(folder))
        run = partial(run_file, suite, binary, Path(folder), limit_s=options.limit)
        outcomes = []
        for outcome in pool.map(run, files):
            print(outcome, flush=True)
            outcomes.append(outcome)
    print()
    print("\n".join(summarize(outcomes)))
    return 0 if all(outcome.has_passed for outcome in outcomes) else 1


def read_table(path: Path) -> list[Named]:
    """Return the files that a table names, each below its group's line in brackets."""
    files = []
    group = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            name, asserts = line.split()
            files.append(Named(group, name, int(asserts)))
    return files


def read_tap(text: str) -> Tap:
    """Count what a file printed."""
    planned, reason = None, ""
    passed = failed = skipped = excused = 0
    for line in text.splitlines():
        if plan := _PLAN.match(line):
            planned, reason = int(plan[1]), plan[2] or ""
        elif match := _LINE.match(line):
            directive = (match[2] or "").lower()
            is_ok = match[1] is None
            skipped += is_ok and directive == "skip"
            passed += is_ok and directive != "skip"
            excused += not is_ok and directive == "todo"
            failed += not is_ok and directive != "todo"
    return Tap(planned, passed, failed, skipped, excused, reason)


def summarize(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a line for each tier, and one for all."""
    for tier in sorted({outcome.file.tier for outcome in outcomes}):
        yield _total(tier, [one for one in outcomes if one.file.tier == tier])
    yield _total("all", outcomes)


def run_file(suite: Path, binary: str, folder: Path, file: Named, *, limit_s: float) -> Outcome:
    """Run one file, and end what it leaves behind."""
    mark = uuid.uuid4().hex
    scratch = folder / mark[:8]  # short: the paths of unix sockets hold about 100 octets
    scratch.mkdir()
    environment = os.environ | {
        _MARK: mark,
        "PYTHONPATH": str(PACKAGE),
        "TMPDIR": str(scratch),
        "TEST_NGINX_BINARY": binary,
    }
    if os.geteuid() == 0:
        environment.setdefault("TEST_NGINX_GLOBALS", "user root;")  # they look into our folder
    began_s = time.monotonic()
    process = subprocess.Popen(
        ["perl", file.name],
        cwd=suite,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    status: int | None = None
    try:
        octets, _ = process.communicate(timeout=limit_s)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        _end_marked(mark)
        octets, _ = process.communicate()
    _end_marked(mark)
    tap = read_tap(octets.decode("utf-8", "replace"))
    return Outcome(file, tap, status, time.monotonic() - began_s)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path, help="a checkout of nginx-tests")
    parser.add_argument("--only", nargs="+", metavar="FILE", help="run these files of the table")
    parser.add_argument("--binary", help="run another program that takes nginx's command line")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="how long a file may take"
    )
    return parser.parse_args(arguments)


def _write_binary(folder: Path) -> str:
    """Write a program that is `upwire proxy`, as the suite wants one file to start."""
    path = folder / "nginx"
    command = shlex.join([sys.executable, "-P", "-m", "upwire", "proxy"])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return str(path)


def _end_marked(mark: str) -> None:
    """Kill every process that a file has started and left; their environment has its mark."""
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def _total(name: str, outcomes: Sequence[Outcome]) -> str:
    passed = sum(outcome.has_passed for outcome in outcomes)
    held = sum(outcome.tap.passed for outcome in outcomes)
    wanted = sum(max(outcome.file.asserts, outcome.tap.passed) for outcome in outcomes)
    return f"{name}: {passed} of {len(outcomes)} files, {held} of {wanted} asserts"


if __name__ == "__main__":
    sys.exit(main())

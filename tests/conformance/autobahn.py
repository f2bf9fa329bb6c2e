"""`make autobahn`: the Autobahn test suite against our server and our client.

Runs `wstest` (Python 2.7 only) as fuzzingclient against `upwire.serve` and as fuzzingserver against
`upwire.connect`, prints the totals of its reports, and exits with 1 for an outcome that is neither
good nor explained in autobahn_failures.toml.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import upwire

SUITE = "autobahntestsuite==0.8.2"
GOOD = frozenset({"OK", "INFORMATIONAL"})
MESSAGE_LIMIT_OCTETS = 32 * 2**20  # the suite's largest message has 16 MiB
RUN_TIMEOUT_S = 7200.0
START_TIMEOUT_S = 30.0
SIDES = ("server", "client")
EXPECTED = Path(__file__).with_name("autobahn_failures.toml")
RUN_WSTEST = "from autobahntestsuite.wstest import run; run()"
NO_SUITE = f"""\
The Autobahn test suite needs Python 2.7, and none with it was found. One way:
    pyenv install 2.7.18 && make autobahn
This command then installs {SUITE} by itself. Or name a wstest that is there:
    make autobahn AUTOBAHN=/path/to/wstest
"""


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """How one case went. side: which side of ours was tested."""

    side: str
    case: str
    behavior: str
    behavior_close: str

    @property
    def is_good(self) -> bool:
        return self.behavior in GOOD and self.behavior_close in GOOD

    def __str__(self) -> str:
        return f"{self.side} {self.case}: {self.behavior}, close {self.behavior_close}"


def read_report(index: Path, side: str) -> list[Outcome]:
    """Read the suite's index.json, which has one agent."""
    (cases,) = json.loads(index.read_text("utf-8")).values()
    return [
        Outcome(side, case, result["behavior"], result["behaviorClose"])
        for case, result in cases.items()
    ]


def read_expected(path: Path) -> set[Outcome]:
    """Read the explained failures; one without a reason is a ValueError."""
    expected = set()
    for row in tomllib.loads(path.read_text("utf-8"))["failure"]:
        if not row.pop("reason", "").strip():
            raise ValueError(f"{path.name}: {row} has no reason")
        expected.add(Outcome(**row))
    return expected


def judge(outcomes: Iterable[Outcome], expected: set[Outcome]) -> list[str]:
    """Return what is wrong: failures that are not explained, explained ones that did not happen."""
    outcomes = set(outcomes)
    ran = {(outcome.side, outcome.case) for outcome in outcomes}
    failed = {outcome for outcome in outcomes if not outcome.is_good}
    return [str(outcome) for outcome in sorted(failed - expected)] + [
        f"{outcome}: is expected and did not happen; remove it from {EXPECTED.name}"
        for outcome in sorted(expected - failed)
        if (outcome.side, outcome.case) in ran
    ]


def totals(outcomes: Iterable[Outcome]) -> str:
    """Count behaviours and close behaviours, the most frequent first."""
    outcomes = list(outcomes)
    counts = [
        ", ".join(f"{count} {name}" for name, count in Counter(names).most_common())
        for names in (
            (outcome.behavior for outcome in outcomes),
            (outcome.behavior_close for outcome in outcomes),
        )
    ]
    return f"{len(outcomes)} cases: {counts[0]}; closing: {counts[1]}"


def find_wstest() -> list[str] | None:
    """Return the command that runs wstest; installs the suite for a Python 2.7 that has none."""
    if named := os.environ.get("AUTOBAHN"):
        return shlex.split(named)
    pythons = list(_pythons_2())
    for python in pythons:
        if subprocess.run(
            [python, "-c", "import autobahntestsuite"], capture_output=True
        ).returncode:
            continue
        return [python, "-W", "ignore", "-c", RUN_WSTEST]
    return _install(pythons[0]) if pythons else None


def _pythons_2() -> Iterable[str]:
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates = [*sorted(root.glob("versions/2.7*/bin/python2.7")), "python2.7", "python2"]
    for candidate in map(str, candidates):
        if not shutil.which(candidate):
            continue
        if subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            yield candidate


def _install(python: str) -> list[str] | None:
    """Install the suite beside the virtual environments; that Python itself stays as it is."""
    folder = Path(".venv-autobahn").absolute()
    if not folder.exists():
        print(f"installing {SUITE} into {folder.name}", flush=True)
        pip = [python, "-m", "pip", "install", "-q", "--target", str(folder), SUITE]
        if subprocess.run(pip).returncode:
            return None
    # As a site folder, since some of its packages need their .pth files.
    add = f"import site; site.addsitedir({str(folder)!r}); "
    return [python, "-W", "ignore", "-c", add + RUN_WSTEST]


async def fuzz_server(wstest: Sequence[str], folder: Path, cases: Sequence[str]) -> None:
    """Let the suite's fuzzing client loose on our server."""

    async def echo(ws: upwire.WebSocket) -> None:
        with contextlib.suppress(upwire.ConnectionClosed):
            async for message in ws:
                await ws.send(message)

    async with upwire.serve(
        echo, "127.0.0.1", 0, max_message_octets=MESSAGE_LIMIT_OCTETS, ping_interval_s=None
    ) as server:
        servers = [{"agent": "upwire", "url": f"ws://127.0.0.1:{server.port}"}]
        spec = _write_spec(folder, {"servers": servers, "cases": list(cases)})
        async with _running([*wstest, "-m", "fuzzingclient", "-s", str(spec)], folder) as process:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                await process.wait()


async def fuzz_client(wstest: Sequence[str], folder: Path, cases: Sequence[str]) -> None:
    """Let our client run the cases of the suite's fuzzing server."""
    url = f"ws://127.0.0.1:{_free_port()}"
    spec = _write_spec(folder, {"url": url, "cases": list(cases)})
    command = [*wstest, "-m", "fuzzingserver", "-s", str(spec), "-u", "0"]
    async with _running(command, folder) as process, asyncio.timeout(RUN_TIMEOUT_S):
        count = int(await _ask(url + "/getCaseCount", process))
        for case in range(1, count + 1):
            await _run_case(f"{url}/runCase?case={case}&agent=upwire")
        async with upwire.connect(f"{url}/updateReports?agent=upwire") as ws:
            async for _ in ws:
                pass


async def run(wstest: Sequence[str], sides: Sequence[str], cases: Sequence[str]) -> list[Outcome]:
    """Run the suite against each side, both at a time, and return all outcomes."""
    fuzz = {"server": fuzz_server, "client": fuzz_client}
    folders = {side: Path(tempfile.mkdtemp(prefix=f"autobahn-{side}-")) for side in sides}
    async with asyncio.TaskGroup() as group:
        for side, folder in folders.items():
            print(f"{side}: reports and log in {folder}", flush=True)
            group.create_task(fuzz[side](wstest, folder, cases))
    return [
        outcome
        for side, folder in folders.items()
        for outcome in read_report(folder / "index.json", side)
    ]


async def _run_case(url: str) -> None:
    with contextlib.suppress(upwire.ConnectionClosed, upwire.RemoteProtocolError):
        async with upwire.connect(
            url, max_message_octets=MESSAGE_LIMIT_OCTETS, ping_interval_s=None
        ) as ws:
            async for message in ws:
                await ws.send(message)


async def _ask(url: str, process: asyncio.subprocess.Process) -> str:
    """Return the server's answer, once it has begun to listen."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            async with upwire.connect(url) as ws:
                return str(await ws.recv())
        except upwire.ConnectError:
            if process.returncode is not None or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _running(
    command: Sequence[str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run wstest, its output into a file beside its reports; end it at the block's end."""
    with (folder / "wstest.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


def _write_spec(folder: Path, spec: dict[str, object]) -> Path:
    path = folder / "spec.json"
    fixed = {"outdir": str(folder), "exclude-cases": [], "exclude-agent-cases": {}, "options": {}}
    path.write_text(json.dumps(fixed | spec), "utf-8")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments say. 0: all as expected, 1: not, 2: there is no wstest."""
    parser = argparse.ArgumentParser(prog="autobahn", description=__doc__.splitlines()[0])
    parser.add_argument("--side", choices=SIDES, action="append", help="only this side of ours")
    parser.add_argument("cases", nargs="*", default=["*"], help='such as "7.*"; all by default')
    options = parser.parse_args(arguments)
    wstest = find_wstest()
    if wstest is None:
        print(NO_SUITE, file=sys.stderr, end="")
        return 2
    mode = os.environ.get("UPWIRE_EXPECT", "this")
    sides = options.side or SIDES
    outcomes = asyncio.run(run(wstest, sides, options.cases))
    for side in sides:
        print(f"{mode} package, {side}: {totals(o for o in outcomes if o.side == side)}")
    wrong = judge(outcomes, read_expected(EXPECTED))
    print("\n".join(wrong) if wrong else "all as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""The contenders' folders, and how one is started and stopped."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from bench.benchmarks import BENCHMARKS, Benchmark
from bench.contender import Contender, Role, Unavailable

from bench import accounting, contender

LISTEN = """\
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(contender, "BUILD", tmp_path)


def started_by(folder: Path, *command: str, config: str | None = None) -> Contender:
    one = Contender("one", "One", folder, {"echo": Role(command, config)})
    one.run_folder.mkdir(exist_ok=True)
    return one


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_contender_has_a_role_that_its_benchmark_asks_for(
    benchmark: Benchmark,
) -> None:
    for name in benchmark.contenders:
        assert set(benchmark.roles) & set(contender.load(name).roles)


@pytest.mark.parametrize("folder", sorted(Path(contender.__file__).parent.glob("contenders/*/")))
def test_every_folder_pins_its_versions(folder: Path) -> None:
    if not (folder / "contender.toml").exists():
        return
    one = contender.load(folder.name)
    requirements = folder / "requirements.txt"
    pins = requirements.read_text("utf-8").split() if requirements.exists() else []
    assert {pin.partition("==")[0] for pin in pins} == set(one.packages)
    assert all("==" in pin for pin in pins)


def test_a_command_and_a_configuration_are_filled(tmp_path: Path) -> None:
    (tmp_path / "one.conf").write_text("listen @PORT@; pass @BACKEND@; keep $host {};")
    one = started_by(tmp_path, "{python}", "-c", "{config}", "{port}", "{run}", config="one.conf")
    values: Mapping[str, str] = {"port": "1", "backend": "b:2"}
    run = str(one.run_folder)
    assert contender.fill(one, one.roles["echo"], values) == [
        *[sys.executable, "-c", f"{run}/one.conf", "1", run]
    ]
    text = Path(run, "one.conf").read_text("utf-8")
    assert text == "listen 1; pass b:2; keep $host {};"


def test_a_contender_runs_on_its_core_until_the_end(tmp_path: Path) -> None:
    one = started_by(tmp_path, "{python}", "-c", LISTEN, "{port}")
    with contender.running(one, "echo", core=0, values={}) as (pid, port):
        assert psutil.Process(pid).cpu_affinity() == [0]
        socket.create_connection(("127.0.0.1", port)).close()
        assert accounting.processor_s(pid) >= 0
        assert accounting.memory_octets(pid) > 0
    assert not psutil.pid_exists(pid)


def test_a_contender_ends_with_the_harness(tmp_path: Path) -> None:
    """However that one ends: here without any chance to stop what it started."""
    harness = f"""
import os, sys
from pathlib import Path
from bench import contender
contender.BUILD = Path({str(tmp_path)!r})
one = contender.Contender(
    "one", "One", Path(), {{"echo": contender.Role(("{{python}}", "-c", {LISTEN!r}, "{{port}}"))}}
)
with contender.running(one, "echo", core=0, values={{}}) as (pid, port):
    print(pid, flush=True)
    os._exit(1)
"""
    done = subprocess.run(
        [sys.executable, "-c", harness], cwd=contender.ROOT, capture_output=True, text=True
    )
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(10)
    assert not psutil.pid_exists(int(done.stdout))


def test_one_that_does_not_listen_is_said_with_its_output(tmp_path: Path) -> None:
    one = started_by(tmp_path, "{python}", "-c", "raise SystemExit('no licence')")
    with (
        pytest.raises(Unavailable, match="no licence"),
        contender.running(one, "echo", core=0, values={}),
    ):
        raise AssertionError


def test_a_program_that_is_not_here_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(contender, "_install", installed.append)
    one = Contender("one", "One", tmp_path, {}, debian={"no-such-program": "no-such-package"})
    with pytest.raises(Unavailable, match="no-such-package was not installed"):
        contender.prepare(one)
    assert installed == ["no-such-package"]


def test_one_that_cannot_say_its_version_is_unavailable(tmp_path: Path) -> None:
    command = ("{python}", "-c", "raise SystemExit('no licence')")
    one = Contender("one", "One", tmp_path, {}, version_command=command)
    with pytest.raises(Unavailable, match="no licence"):
        contender.prepare(one)


def test_what_is_built_is_there_and_what_does_not_build_unavailable(tmp_path: Path) -> None:
    command = ("sh", "-c", "echo made > {run}/made")
    one = Contender("one", "One", tmp_path, {}, build=command)
    contender.prepare(one)
    assert (one.run_folder / "made").read_text("utf-8") == "made\n"
    broken = Contender("one", "One", tmp_path, {}, build=("sh", "-c", "echo no compiler; false"))
    with pytest.raises(Unavailable, match="no compiler"):
        contender.prepare(broken)


def test_the_version_of_a_program_is_its_first_line(tmp_path: Path) -> None:
    one = Contender("one", "One", tmp_path, {}, version_command=("{python}", "--version"))
    assert contender.prepare(one).startswith("Python 3.")
    assert contender.prepare(Contender("one", "One", tmp_path, {})) == ""

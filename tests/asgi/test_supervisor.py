"""`Supervisor`: workers begun, replaced and ended, in a process of its own.

That process must have one thread, as those of the tests do not: its signals are blocked in it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PREAMBLE = """
import logging, os, signal, sys
from upwire.asgi.supervisor import Supervisor
logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)

def say(text):
    os.write(1, (text + "\\n").encode())

def wait():
    say(f"worker {os.getpid()}")
    signal.pause()

class Scripted:
    def __init__(self, *answers):
        self.answers = list(answers)

    def have_come(self):
        return self.answers.pop(0) if self.answers else []
"""
SERVING = """
def work():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    wait()
"""


class Supervised:
    """The process, and its lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self, text: str) -> str:
        """Return the next line that has the text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"the process has ended without {text!r}")

    def worker(self) -> int:
        return int(self.line("worker ").split()[1])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait()


@contextmanager
def supervised(work: str, options: str = "count=1, stop_timeout_s=20") -> Iterator[Supervised]:
    """Run a Supervisor of work(), and leave with its status."""
    script = f"{PREAMBLE}\n{work}\nsys.exit(Supervisor(work, {options}).run())"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Supervised(process)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_workers(number: signal.Signals) -> None:
    with supervised(SERVING, "count=2, stop_timeout_s=20") as running:
        assert running.worker() != running.worker()
        assert running.end(number) == 0


def test_a_worker_that_does_not_end_is_killed() -> None:
    deaf = "def work():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    wait()\n    wait()"
    with supervised(deaf, "count=1, stop_timeout_s=0.05") as running:
        worker = running.worker()
        running.process.send_signal(signal.SIGTERM)
        assert running.line("killed") == f"worker {worker} does not end and is killed\n"
        assert running.process.wait() == 0


def test_a_hang_up_replaces_the_workers() -> None:
    options = "count=1, stop_timeout_s=20, on_hang_up=lambda: say('hung up')"
    with supervised(SERVING, options) as running:
        first = running.worker()
        running.process.send_signal(signal.SIGHUP)
        running.line("hung up")
        assert running.line("anew") == "workers begin anew\n"
        assert running.worker() != first
        assert running.end() == 0


def test_a_worker_that_exits_says_nothing_of_it() -> None:
    with supervised(SERVING) as running:
        running.worker()
        assert running.end() == 0
        assert running.process.stdout is not None
        assert running.process.stdout.read() == ""


def test_a_hang_up_tells_nobody_else_unasked() -> None:
    with supervised(SERVING) as running:
        first = running.worker()
        running.process.send_signal(signal.SIGHUP)
        assert running.worker() != first


def test_a_change_replaces_the_workers() -> None:
    options = "count=1, stop_timeout_s=20, look_s=0.05, changes=Scripted([], ['app.py'])"
    with supervised(SERVING, options) as running:
        assert "app.py changed" in running.line("anew")
        assert running.worker()
        assert running.end() == 0


def test_a_worker_that_is_killed_is_replaced() -> None:
    with supervised(SERVING) as running:
        first = running.worker()
        subprocess.run(["kill", "-KILL", str(first)], check=True)
        assert running.line("ended") == f"worker {first} has ended by signal 9\n"
        assert running.worker() != first


def test_without_changes_a_worker_that_cannot_start_ends_all() -> None:
    with supervised("def work():\n    return 3") as running:
        assert "with status 3" in running.line("ended")
        assert running.process.wait() == 1


def test_with_changes_it_begins_anew_behind_the_next() -> None:
    failing = """
def work():
    if not os.path.exists(f"/proc/{os.getppid()}/fd/200"):
        return 3
    wait()
"""
    looks = """
class Mending(Scripted):
    def have_come(self):
        os.dup2(1, 200)
        return ["mended.py"]
"""
    options = "count=1, stop_timeout_s=0.05, look_s=0.05, changes=Mending()"
    with supervised(failing + looks, options) as running:
        assert "with status 3" in running.line("ended")
        assert "mended.py changed" in running.line("anew")


def test_a_worker_that_raises_says_where() -> None:
    with supervised("def work():\n    raise ValueError('no')") as running:
        assert running.line("ValueError: ") == "ValueError: no\n"
        assert "with status 1" in running.line("ended")
        assert running.process.wait() == 1


def test_a_worker_that_is_interrupted_has_not_failed() -> None:
    with supervised("def work():\n    say('raised')\n    raise KeyboardInterrupt") as running:
        running.line("raised")
        assert "with status 0" in running.line("ended")
        running.line("raised")

"""A process that does not outlive the one that started it."""

from __future__ import annotations

import signal
import subprocess
import sys

CHILD = """
import signal
from upwire.asgi.parent import end_with_parent
end_with_parent()
print("ready", flush=True)
signal.pause()
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
child.wait()
"""


def test_a_child_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(signal.SIGKILL)
        assert parent.stdout.read() == ""  # it ends when both have closed it

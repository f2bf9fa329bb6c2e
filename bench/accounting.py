"""What the operating system says about a process and those that it started."""

from __future__ import annotations

import contextlib

import psutil


def processor_s(pid: int) -> float:
    """Return the processor time of the tree, user and system, in seconds."""
    times = [process.cpu_times() for process in _tree(pid)]
    return sum(one.user + one.system for one in times)


def memory_octets(pid: int) -> int:
    """Return the proportional set size of the tree: shared pages count by their share."""
    return sum(process.memory_full_info().pss for process in _tree(pid))


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        return [root, *root.children(recursive=True)]
    return [root]

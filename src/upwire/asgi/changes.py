"""Which files of an application have changed: looked for, or told by watchfiles.

watchfiles runs threads, and a process with threads must not fork workers: `python -m
upwire.asgi.changes FOLDER...` is a process of its own, that writes what has changed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from upwire.asgi.parent import end_with_parent
from upwire.errors import UpwireError

READ_OCTETS = 64 * 1024

DEBOUNCE_MS = 200
"""Changes that come so close together are told together."""

TURN_MS = 100
"""So soon after its start watchfiles is heard of for the first time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose changes count: files by their names, unless they or a folder above are excluded.

    include and exclude have the patterns of a shell.
    """

    include: Sequence[str] = ("*.py",)
    exclude: Sequence[str] = (".*", ".py[cod]", ".sw.*", "~*")

    def has(self, path: Path, folder: Path) -> bool:
        """Whether the changes of a file below a folder count."""
        parts = path.relative_to(folder).parts
        is_excluded = any(fnmatch(part, pattern) for part in parts for pattern in self.exclude)
        return not is_excluded and any(fnmatch(path.name, pattern) for pattern in self.include)


class Changes(Protocol):
    """The files below some folders."""

    def have_come(self) -> list[str]:
        """Return the files that were added, changed or removed since the last look."""

    def close(self) -> None:
        """Look no more."""


def watch(folders: Iterable[str], wanted: Wanted) -> Changes:
    """Return the changes below folders, from now on. Raises UpwireError for what is no folder."""
    paths = [Path(folder).resolve() for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise UpwireError(f"{path} is no folder that could be watched")
    if importlib.util.find_spec("watchfiles") is not None:
        told = ToldChanges(paths, wanted)
        if told.is_watching:
            return told
        told.close()
    return SoughtChanges(paths, wanted)


class SoughtChanges:
    """Changes that are found by looking at every file."""

    def __init__(self, folders: Sequence[Path], wanted: Wanted) -> None:
        self._folders = folders
        self._wanted = wanted
        self._seen = dict(self._look())

    def have_come(self) -> list[str]:
        before, self._seen = self._seen, dict(self._look())
        changed = set(before.items()) ^ set(self._seen.items())
        return sorted({path for path, _ in changed})

    def close(self) -> None:
        """Look no more."""

    def _look(self) -> Iterator[tuple[str, int]]:
        for folder in self._folders:
            for path in folder.rglob("*"):
                if self._wanted.has(path, folder):
                    with contextlib.suppress(OSError):  # it was removed in the meantime
                        yield str(path), path.stat().st_mtime_ns


class ToldChanges:
    """Changes that watchfiles tells of, in a process beside.

    is_watching: whether it could begin.
    """

    def __init__(self, folders: Sequence[Path], wanted: Wanted) -> None:
        self._folders = folders
        self._wanted = wanted
        self._rest = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, folders)],
            stdout=subprocess.PIPE,
            preexec_fn=end_with_parent,
        )
        assert self._process.stdout is not None  # it is a pipe
        self._output = self._process.stdout
        self.is_watching = self._output.readline() == b"\n"
        os.set_blocking(self._output.fileno(), False)

    def have_come(self) -> list[str]:
        *lines, self._rest = (self._rest + self._read()).split(b"\n")
        return sorted({path for path in map(os.fsdecode, lines) if self._is_wanted(path)})

    def close(self) -> None:
        """End the process beside."""
        self._process.terminate()
        self._process.wait()
        self._output.close()

    def _read(self) -> bytes:
        try:
            return os.read(self._output.fileno(), READ_OCTETS)
        except BlockingIOError:
            return b""

    def _is_wanted(self, text: str) -> bool:
        path = Path(text)
        return any(
            self._wanted.has(path, folder)
            for folder in self._folders
            if path.is_relative_to(folder)
        )


def tell(folders: Sequence[str]) -> None:
    """Write the path of each file that changes on a line, behind an empty one at the start."""
    import watchfiles

    watched = watchfiles.watch(
        *folders,
        watch_filter=None,
        debounce=DEBOUNCE_MS,
        rust_timeout=TURN_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    for number, changes in enumerate(watched):
        lines = [] if number else [b"\n"]
        lines += [os.fsencode(path) + b"\n" for _, path in changes]
        os.write(sys.stdout.fileno(), b"".join(lines))


if __name__ == "__main__":
    with contextlib.suppress(OSError):  # who has started it looks for changes itself then
        tell(sys.argv[1:])

"""The file that tells the process's number, where `pid` says."""

from __future__ import annotations

import contextlib
import os


class PidFile:
    """Our number in a file: written, moved by a reload, and removed at the end."""

    __slots__ = ("_path",)

    def __init__(self) -> None:
        self._path: str | None = None

    def move(self, path: str) -> None:
        """Write the number to path, in place of where it was; raises OSError.

        Where the folder is not there it is in no file: nginx's default is below its own prefix,
        which a lone nginx.conf does not have.
        """
        if path == self._path:
            return
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except FileNotFoundError:
            self.remove()
            return
        self.remove()
        self._path = path

    def remove(self) -> None:
        """Remove the file."""
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self._path = None


def read_pid(path: str) -> int:
    """Return the number that a file has; raises OSError, and ValueError where it has none."""
    with open(path, encoding="ascii", errors="replace") as file:
        text = file.read(32).strip()
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(text)
    return int(text)

"""A program that the demo runs: started, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self

from upwire.errors import UpwireError

STOP_TIMEOUT_S = 5.0
LAST_LINES = 12
_TAIL_OCTETS = 8192
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


class Child:
    """A running program of which the last lines of output are kept.

    name: what messages call it.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.has_written = asyncio.Event()
        self._tail = b""
        self._reading = asyncio.create_task(self._read_output())

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[Self]:
        """Start a program, and stop it at the end. environment: added to our own.

        It gets a session of its own, so that a Ctrl-C reaches us alone and we stop it in order,
        and ends with us where we are killed and cannot.
        Raises UpwireError if the program cannot be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except OSError as error:
            raise UpwireError(f"{name} cannot be started: {command[0]}: {error.strerror}") from None
        child = cls(name, process)
        try:
            yield child
        finally:
            await child.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_lines(self) -> list[str]:
        """The end of what the program has written."""
        return self._tail.decode(errors="replace").splitlines()[-LAST_LINES:]

    async def wait(self) -> int:
        """Return the exit status, or minus the signal, when the program has ended."""
        status = await self._process.wait()
        await asyncio.wait([self._reading], timeout=STOP_TIMEOUT_S)
        return status

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the program: ask it, and kill it if it has not ended in time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), timeout_s)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        finally:
            self._reading.cancel()  # a program of its own may hold the pipe open
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read_output(self) -> None:
        assert self._process.stdout is not None  # it is a pipe
        while octets := await self._process.stdout.read(_TAIL_OCTETS):
            self._tail = (self._tail + octets)[-_TAIL_OCTETS:]
            self.has_written.set()


def _end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

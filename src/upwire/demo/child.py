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

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: _Tail) -> None:
        self.name = name
        self._process = process
        self._output = output

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
        async with _reading() as (output, pipe):
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=pipe,
                    stderr=asyncio.subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )
            except OSError as error:
                what = f"{command[0]}: {error.strerror}"
                raise UpwireError(f"{name} cannot be started: {what}") from None
            finally:
                os.close(pipe)
            child = cls(name, process, output)
            try:
                yield child
            finally:
                await child.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_written(self) -> asyncio.Event:
        return self._output.has_begun

    @property
    def last_lines(self) -> list[str]:
        """The end of what the program has written."""
        return self._output.octets.decode(errors="replace").splitlines()[-LAST_LINES:]

    async def wait(self) -> int:
        """Return the exit status, or minus the signal, when the program has ended.

        What it has started and left behind, such as the workers of a proxy, is killed.
        """
        status = await self._process.wait()
        if not self._output.has_ended.is_set():  # somebody may hold the pipe open
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: of zombies
                os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):  # a session of its own may hold the pipe open
            await asyncio.wait_for(self._output.has_ended.wait(), STOP_TIMEOUT_S)
        return status

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the program: ask it, and kill it if it has not ended in time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), timeout_s)
        except TimeoutError:
            self._process.kill()
        await self.wait()


class _Tail(asyncio.Protocol):
    """The end of what comes out of a pipe."""

    def __init__(self) -> None:
        self.octets = b""
        self.has_begun = asyncio.Event()
        self.has_ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.octets = (self.octets + data)[-_TAIL_OCTETS:]
        self.has_begun.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended.set()


@contextlib.asynccontextmanager
async def _reading() -> AsyncIterator[tuple[_Tail, int]]:
    """Read a pipe of our own; yield what comes and its other end, which is the caller's to close.

    asyncio's waits, before it tells that the program has ended, for whoever else holds it open.
    """
    read_end, write_end = os.pipe()
    loop = asyncio.get_running_loop()
    transport, output = await loop.connect_read_pipe(_Tail, os.fdopen(read_end, "rb", 0))
    try:
        yield output, write_end
    finally:
        transport.close()


def _end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

"""Sees from outside of the event loop that it is blocked, and ends a process that does not end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Self

logger = logging.getLogger("upwire.asgi")

BLOCKED_S = 1.0
"""A loop that runs nothing for so long is blocked."""


class LoopWatch:
    """A thread that watches the loop of the thread that makes it.

    A log line names where the loop is blocked, once for each time.
    """

    def __init__(self, *, blocked_s: float = BLOCKED_S) -> None:
        self._blocked_s = blocked_s
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._beat = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._beat.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._beat.clear()
            self._loop.call_soon_threadsafe(self._beat.set)
            if not self._beat.wait(self._blocked_s):
                where = place_of(self._watched)
                logger.warning("the event loop is blocked for %g s at %s", self._blocked_s, where)
                self._beat.wait()
            self._ended.wait(self._blocked_s)


class ExitDeadline:
    """Ends the process where the application keeps it from ending; made in the main thread."""

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._timers: list[threading.Timer] = []

    def set(self, timeout_s: float) -> None:
        """End the process in so long, unless `cancel()` comes first; the earliest counts."""
        timer = threading.Timer(timeout_s, self._exit)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def cancel(self) -> None:
        """The process ends by itself."""
        for timer in self._timers:
            timer.cancel()

    def _exit(self) -> None:
        where = place_of(self._watched)
        logger.critical("the application does not end; the process is ended at %s", where)
        logging.shutdown()
        os._exit(1)


def place_of(thread: int) -> str:
    """Return where a thread is, as FILE:LINE in FUNCTION."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return "an unknown place"
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"

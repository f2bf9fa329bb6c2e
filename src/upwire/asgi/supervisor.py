"""`Supervisor`: worker processes that share a socket, replaced when they die or files change."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

from upwire.asgi.changes import Changes
from upwire.asgi.parent import end_with_parent

logger = logging.getLogger("upwire.asgi")

LOOK_S = 0.5
"""How often to look for changed files, if not told; how often for workers that end."""

START_S = 1.0
"""A worker that fails within this time could not start."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Supervisor:
    """Runs work in processes of their own, forked: what work imports is new in each.

    work returns an exit status. A signal to stop reaches every worker; one that has not ended
    stop_timeout_s later is killed. SIGHUP, or a change, replaces all workers; look_s is how often
    to look for one. on_hang_up: what else a SIGHUP does.
    """

    def __init__(
        self,
        work: Callable[[], int],
        *,
        count: int,
        stop_timeout_s: float,
        changes: Changes | None = None,
        look_s: float = LOOK_S,
        on_hang_up: Callable[[], None] | None = None,
    ) -> None:
        self._work = work
        self._count = count
        self._changes = changes
        self._look_s = look_s
        self._on_hang_up = on_hang_up
        self._stop_timeout_s = stop_timeout_s
        self._workers: dict[int, float] = {}  # when each began, by its pid
        self._is_waiting_for_change = False

    def run(self) -> int:
        """Run until a signal. Returns the exit status: 1 where no worker can start."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            return self._run()
        finally:
            self._stop_all()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run(self) -> int:
        while True:
            if not self._is_waiting_for_change:
                while len(self._workers) < self._count:
                    self._start()
            came = signal.sigtimedwait(_SIGNALS, self._look_s)
            if came is not None and came.si_signo in _STOP_SIGNALS:
                return 0
            if not self._reap():
                return 1
            has_hung_up = came is not None and came.si_signo == signal.SIGHUP
            if has_hung_up and self._on_hang_up is not None:
                self._on_hang_up()
            changed = [] if self._changes is None else self._changes.have_come()
            if changed or has_hung_up:
                logger.info("workers begin anew%s", f": {changed[0]} changed" if changed else "")
                self._stop_all()
                self._is_waiting_for_change = False

    def _start(self) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_worker()
        self._workers[pid] = time.monotonic()

    def _be_worker(self) -> None:
        """Work, and leave without a step into what the parent was doing."""
        status = 1
        try:
            end_with_parent()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            status = self._work()
        except KeyboardInterrupt:
            status = 0
        except SystemExit as error:  # as Python itself takes it, save that a text counts as 1
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:  # noqa: BLE001 - the edge of the process
            traceback.print_exc()
        finally:
            logging.shutdown()
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(status)

    def _reap(self) -> bool:
        """Forget workers that ended; return whether it makes sense to replace them."""
        for pid, began_s in list(self._workers.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del self._workers[pid]
            code = os.waitstatus_to_exitcode(status)
            how = f"by signal {-code}" if code < 0 else f"with status {code}"
            logger.warning("worker %d has ended %s", pid, how)
            if code > 0 and time.monotonic() - began_s < START_S:
                if self._changes is None:
                    return False
                self._is_waiting_for_change = True
        return True

    def _stop_all(self) -> None:
        """End the workers in order, and kill those that do not end."""
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)
        deadline_s = time.monotonic() + self._stop_timeout_s
        while self._workers and (left_s := deadline_s - time.monotonic()) > 0:
            self._forget_ended()
            if self._workers:
                signal.sigtimedwait([signal.SIGCHLD], min(left_s, LOOK_S))
        for pid in list(self._workers):
            logger.error("worker %d does not end and is killed", pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._workers.clear()

    def _forget_ended(self) -> None:
        for pid in list(self._workers):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._workers[pid]

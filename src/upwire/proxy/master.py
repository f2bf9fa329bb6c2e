"""The master: reads the configuration, holds the sockets, starts the workers and looks after them.

It serves nothing and has no loop: it waits for signals, which stay blocked but while it waits.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from upwire.errors import LocalProtocolError
from upwire.proxy.error_log import describe_error
from upwire.proxy.pid_file import PidFile
from upwire.proxy.service import Service
from upwire.proxy.worker import Worker
from upwire.proxy.worker_limits import apply_limits

SIGNALS = (
    *(signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT),
    *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH),
)

KILL_AFTER_S = 1.5
"""How long workers have to end at once, before they are killed; about nginx's."""

RESPAWN_S = 1.0
"""The least age of a worker that is replaced without delay: one that dies at its start, again and
again, must not take a processor."""

FATAL = 2
"""The status of a worker that could not begin; nginx's. Another one could not either."""


@dataclass(slots=True)
class _Child:
    """A worker. row: of the counters. index: which of worker_processes it is."""

    row: int
    index: int
    started_s: float
    is_leaving: bool = False


class Master:
    """The workers of one service, from their start to their end."""

    def __init__(self, service: Service, pid_file: PidFile, *, is_daemon: bool) -> None:
        self.service = service
        self._pid_file = pid_file
        self._is_daemon = is_daemon
        self._children: dict[int, _Child] = {}
        self._is_ending = False
        self._kill_at_s: float | None = None
        self._respawns: list[tuple[float, int]] = []  # when, and which of worker_processes
        self._acts: dict[int, Callable[[], None]] = {
            signal.SIGCHLD: self._reap,
            signal.SIGINT: self._terminate,
            signal.SIGTERM: self._terminate,
            signal.SIGQUIT: self._quit,
            signal.SIGHUP: self._reload,
            signal.SIGUSR1: self._reopen_logs,
            signal.SIGUSR2: self._refuse_upgrade,
            signal.SIGWINCH: self._leave_off,
        }

    def run(self) -> None:
        """Look after the workers until a signal ends them. The caller has blocked SIGNALS."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, children would leave no status
        self._log("notice", "start worker processes")
        self._start_workers()
        while self._children or not self._is_ending:
            self._act(self._wait())
        self._log("notice", "exit")
        self.service.ports.close()
        self.service.close()

    def _wait(self) -> signal.struct_siginfo | None:
        """Return the next signal; None when something is due."""
        dues = [due_s for due_s, _ in self._respawns]
        if self._kill_at_s is not None:
            dues.append(self._kill_at_s)
        if not dues:
            return signal.sigwaitinfo(SIGNALS)
        return signal.sigtimedwait(SIGNALS, max(min(dues) - time.monotonic(), 0.0))

    def _act(self, received: signal.struct_siginfo | None) -> None:
        if received is not None:
            number, sender = received.si_signo, received.si_pid
            name = signal.Signals(number).name
            self._log("notice", f"signal {number} ({name}) received from {sender}")
            self._acts[number]()
            return
        now_s = time.monotonic()
        if self._kill_at_s is not None and self._kill_at_s <= now_s:
            self._kill_at_s = now_s + KILL_AFTER_S
            self._signal_workers(signal.SIGKILL)
        due = [index for due_s, index in self._respawns if due_s <= now_s]
        self._respawns = [one for one in self._respawns if one[0] > now_s]
        for index in due:
            self._start_worker(index)

    def _terminate(self) -> None:
        """End at once."""
        self._is_ending = True
        self._respawns.clear()
        self._kill_at_s = time.monotonic() + KILL_AFTER_S
        self._signal_workers(signal.SIGTERM)

    def _quit(self) -> None:
        """End after the requests in flight."""
        self._is_ending = True
        self._respawns.clear()
        self._retire_workers()
        self.service.ports.close()

    def _leave_off(self) -> None:
        """Have the workers end after their requests, and wait for what comes next.

        Only behind a terminal: in front of it the signal says that the window has another size.
        """
        if self._is_daemon:
            self._respawns.clear()
            self._retire_workers()

    def _reload(self) -> None:
        """Put the configuration in force as it is now: new workers, then the old ones end."""
        if self._is_ending or not self.service.reload():
            return
        self._move_pid_file()
        self._respawns.clear()
        former = list(self._children)
        self._start_workers()
        self._retire_workers(former)

    def _move_pid_file(self) -> None:
        try:
            self._pid_file.move(self.service.pid_path)
        except OSError as error:
            path, reason = error.filename, describe_error(error)
            self._log("emerg", f'open() "{path}" failed {reason}')

    def _reopen_logs(self) -> None:
        self.service.reopen_logs()
        self._signal_workers(signal.SIGUSR1)

    def _refuse_upgrade(self) -> None:
        self._log("warn", "changing the binary on the fly is not supported; a reload keeps sockets")

    def _reap(self) -> None:
        """Take note of every child that has ended, and replace it unless it was to end."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue
            self.service.counters.release(child.row)
            self._log_end(pid, status)
            if child.is_leaving or self._is_ending:
                continue
            if os.waitstatus_to_exitcode(status) == FATAL:
                message = f"exited with fatal code {FATAL} and cannot be respawned"
                self._log("alert", f"worker process {pid} {message}")
            else:
                self._respawn(child)

    def _respawn(self, child: _Child) -> None:
        if time.monotonic() - child.started_s >= RESPAWN_S:
            self._start_worker(child.index)
        else:
            self._respawns.append((child.started_s + RESPAWN_S, child.index))

    def _log_end(self, pid: int, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            self._log("notice", f"worker process {pid} exited with code {code}")
        else:
            dumped = " (core dumped)" if os.WCOREDUMP(status) else ""
            self._log("alert", f"worker process {pid} exited on signal {-code}{dumped}")

    def _start_workers(self) -> None:
        number = self.service.cycle.config.main.worker_processes
        for index in range(number or len(os.sched_getaffinity(0))):
            self._start_worker(index)

    def _start_worker(self, index: int) -> None:
        try:
            row = self.service.counters.reserve()
        except LocalProtocolError as error:
            self._log("alert", str(error))
            return
        gc.freeze()  # what is here now is shared with the worker, as long as nobody touches it
        try:
            pid = os.fork()
        except OSError as error:
            self.service.counters.release(row)
            self._log("alert", f"fork() failed while spawning worker {describe_error(error)}")
            self._respawns.append((time.monotonic() + RESPAWN_S, index))
            return
        if pid == 0:
            os._exit(self._be_worker(row, index))
        self._children[pid] = _Child(row, index, time.monotonic())
        self._log("notice", f"start worker process {pid}")

    def _be_worker(self, row: int, index: int) -> int:
        """Serve, in the process that was forked; return its exit status."""
        service = self.service
        try:
            for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(
                signal.SIG_UNBLOCK, {signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD}
            )
            service.counters.claim(row)
            service.ports.share()
            if not apply_limits(service, index):
                return FATAL
            worker = Worker(service)
            worker.run(worker.signals())
            return 0
        except Exception:  # noqa: BLE001  # the edge: whatever it is, it ends in the log
            self._log("alert", f"worker process failed: {traceback.format_exc()}")
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def _retire_workers(self, pids: list[int] | None = None) -> None:
        """Ask workers to end after their requests; all of them unless pids says which."""
        for pid in list(self._children) if pids is None else pids:
            child = self._children[pid]
            if not child.is_leaving:
                child.is_leaving = True
                os.kill(pid, signal.SIGQUIT)

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self._children:  # a child that has ended can be signalled until it is reaped
            os.kill(pid, number)

    def _log(self, level: str, message: str) -> None:
        self.service.cycle.log.write(level, message)

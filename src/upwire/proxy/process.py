"""`upwire proxy`: does what its options ask for, from a test of the file to the service."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator

from upwire.errors import ConfigError, Problem
from upwire.proxy import announcement
from upwire.proxy.error_log import describe_error
from upwire.proxy.load import LoadedFile
from upwire.proxy.master import SIGNALS, Master
from upwire.proxy.options import SIGNALS as SIGNALS_SENT
from upwire.proxy.options import ProxyOptions
from upwire.proxy.pid_file import PidFile, read_pid
from upwire.proxy.service import Service, load
from upwire.proxy.worker import Worker

__all__ = ["ProxyOptions", "main"]


def main(options: ProxyOptions) -> int:
    """Do what the options ask for; return the exit status."""
    if options.brief or options.build:
        announcement.print_version(options.build)
        return 0
    try:
        loaded = load(options)
        if options.send is not None:
            return _send(options.send, os.path.join(options.folder, loaded.config.main.pid))
        service = Service(options, loaded)
        if options.test or options.dump:
            announcement.report_test(options, loaded)
            return 0
        with _held_back(SIGNALS):
            return _run(options, loaded, service)
    except ConfigError as error:
        announcement.report_problems(options, error.problems)
        return 1


def _run(options: ProxyOptions, loaded: LoadedFile, service: Service) -> int:
    """Open the sockets, say so, and serve to the end; raises ConfigError."""
    service.open()
    announcement.report_start(options, loaded, service.ports.addresses, service.status_addresses)
    if loaded.is_daemon:
        _leave_terminal()
    pid_file = PidFile()
    try:
        pid_file.move(service.pid_path)
    except OSError as error:
        service.ports.close()
        message = f'open() "{error.filename}" failed {describe_error(error)}'
        raise ConfigError([Problem(message)]) from None
    try:
        if loaded.config.main.master_process:
            Master(service, pid_file, is_daemon=loaded.is_daemon).run()
        else:
            worker = Worker(service)
            worker.run({**worker.signals(), signal.SIGHUP: lambda: _reload(service, pid_file)})
    finally:
        pid_file.remove()
    return 0


def _reload(service: Service, pid_file: PidFile) -> None:
    """Put the configuration in force as it is now, in the process that serves."""
    if service.reload():
        try:
            pid_file.move(service.pid_path)
        except OSError as error:
            message = f'open() "{error.filename}" failed {describe_error(error)}'
            service.cycle.log.write("emerg", message)


def _send(name: str, pid_path: str) -> int:
    """Send the signal of that name to the master whose number the pid file has."""
    number = SIGNALS_SENT[name]
    try:
        pid = read_pid(pid_path)
    except OSError as error:
        problem = Problem(f'open() "{pid_path}" failed {describe_error(error)}', severity="error")
    except ValueError as error:
        problem = Problem(f'invalid PID number "{error}" in "{pid_path}"', severity="error")
    else:
        try:
            os.kill(pid, number)
            return 0
        except OSError as error:
            message = f"kill({pid}, {number}) failed {describe_error(error)}"
            problem = Problem(message, severity="alert")
    announcement.say_problems([problem])
    return 1


@contextlib.contextmanager
def _held_back(signals: Iterable[int]) -> Iterator[None]:
    """Let signals wait until somebody takes them: who finds us listening may send them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_terminal() -> None:
    """Go on in the background: a session of our own, and no terminal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.close(null)

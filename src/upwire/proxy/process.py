"""The proxy as a process: its start, nginx's signals, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

from upwire.errors import ConfigError, Problem
from upwire.net.stream import Address, Stream
from upwire.proxy import announcement
from upwire.proxy.cycle import Cycle, Surroundings, resolve_with
from upwire.proxy.downstream import Downstream
from upwire.proxy.error_log import ErrorLogHandler
from upwire.proxy.load import LoadedFile, load_file, parse_version
from upwire.proxy.options import DEFAULT_CONF, ProxyOptions
from upwire.proxy.ports import Ports
from upwire.proxy.route import ListenAddress
from upwire.proxy.status import Counters, StatusServer

__all__ = ["Proxy", "ProxyOptions", "load", "main", "resolve_name"]

TICK_S = 1.0
"""How often buffered logs are written and idle connections looked after."""


def main(options: ProxyOptions) -> int:
    """Do what the options ask for; return the exit status."""
    if options.brief or options.build:
        announcement.print_version(options.build)
        return 0
    try:
        loaded = load(options)
        proxy = Proxy(options, loaded)
        if options.test or options.dump:
            announcement.report_test(options, loaded)
            return 0
        with _held_back(proxy.signals()):
            proxy.open()
            announcement.report_start(
                options, loaded, proxy.ports.addresses, proxy.status_addresses
            )
            if loaded.is_daemon:
                _leave_terminal()
            return proxy.run()
    except ConfigError as error:
        announcement.report_problems(options, error.problems)
        return 1


def load(options: ProxyOptions) -> LoadedFile:
    """Read the configuration that the options name; raises ConfigError."""
    version = parse_version(options.nginx) if options.nginx is not None else None
    try:
        return load_file(options.conf_path, parameters=options.directives, version=version)
    except ConfigError as error:
        if options.conf != DEFAULT_CONF or os.path.exists(options.conf_path):
            raise
        mend = "-c FILE names another; nginx.conf here, or below the folder of -p, is the default"
        problems = [Problem(one.message, mend=mend) for one in error.problems]
        raise ConfigError(problems) from None


def resolve_name(host: str) -> Sequence[str]:
    """Return the addresses of a name, IPv4 first as nginx has them; raises OSError."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a name that IDNA cannot express
        raise OSError(f"not a host name: {error}") from error
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Proxy:
    """The running proxy: one configuration in force, the sockets, the connections."""

    def __init__(self, options: ProxyOptions, loaded: LoadedFile) -> None:
        """Make ready without binding anything; raises ConfigError."""
        self._options = options
        self._counters = Counters()
        self._numbers = count(1)
        self._downstreams: set[Downstream] = set()
        self._retired: list[Cycle] = []
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()  # no connection is waited for any more
        self._is_graceful = False
        self._pid_path: str | None = None
        self._cycle = self._make_cycle(loaded)
        self._ports = Ports(self._serve, options.folder)
        self._status: StatusServer | None = None

    @property
    def ports(self) -> Ports:
        """The open addresses."""
        return self._ports

    @property
    def status_addresses(self) -> tuple[Address, ...]:
        """Where the counters are told; none without --status, or before `open()`."""
        return self._status.addresses if self._status is not None else ()

    def open(self) -> None:
        """Bind every address; raises ConfigError."""
        self._ports.open(self._cycle.config, self._cycle.router)
        if (address := self._options.status_address) is not None:
            self._status = StatusServer(self._counters, *address)

    def run(self) -> int:
        """Serve until a signal ends it; return the exit status."""
        handler = ErrorLogHandler(lambda: self._cycle.log)
        logger = logging.getLogger("upwire")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            asyncio.run(self.serve())
        finally:
            logger.removeHandler(handler)
            self.close()
        return 0

    def close(self) -> None:
        """Close the logs and the idle connections, after `serve()`."""
        for cycle in (self._cycle, *self._retired):
            cycle.close()

    async def serve(self) -> None:
        """Serve until `stop()`, with the signals of nginx."""
        loop = asyncio.get_running_loop()
        for number, act in self.signals().items():
            loop.add_signal_handler(number, act)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.signals())
        self._write_pid()
        self._ports.start()
        if self._status is not None:
            self._status.start()
        ticking = asyncio.create_task(self._tick())
        try:
            await self._stopping.wait()
            await self._end()
        finally:
            ticking.cancel()
            self._remove_pid()
            for number in self.signals():
                loop.remove_signal_handler(number)

    def stop(self, *, is_graceful: bool) -> None:
        """End: at once, or after the requests in flight."""
        self._is_graceful = is_graceful and not self._stopping.is_set()
        self._stopping.set()
        if not self._is_graceful:
            self._idle.set()

    def reload(self) -> None:
        """Read the configuration again; one that does not load changes nothing and says why."""
        self._cycle.log.write("notice", "signal 1 (SIGHUP) received, reconfiguring")
        try:
            loaded = load(self._options)
            cycle = self._make_cycle(loaded)
        except ConfigError as error:
            self._log_problems(error.problems)
            return
        try:
            left = self._ports.open(cycle.config, cycle.router)
        except ConfigError as error:
            cycle.close()
            self._log_problems(error.problems)
            return
        for listener in left:
            listener.close()
        old, self._cycle = self._cycle, cycle
        old.retire()
        self._retired = [one for one in (*self._retired, old) if not one.is_closed]
        cycle.log.write("notice", "configuration is in force")
        self._log_problems(announcement.unguarded(loaded))

    def reopen_logs(self) -> None:
        """Open the log files anew, after they were rotated."""
        for cycle in (self._cycle, *self._retired):
            try:
                cycle.files.reopen()
            except OSError as error:
                cycle.log.write("emerg", f'open() "{error.filename}" failed ({error.strerror})')

    def signals(self) -> dict[signal.Signals, Callable[[], None]]:
        """Return what is done at each signal: nginx's, as far as they make sense here."""
        return {
            signal.SIGINT: lambda: self.stop(is_graceful=False),
            signal.SIGTERM: lambda: self.stop(is_graceful=False),
            signal.SIGQUIT: lambda: self.stop(is_graceful=True),
            signal.SIGHUP: self.reload,
            signal.SIGUSR1: self.reopen_logs,
        }

    async def _serve(self, bound: ListenAddress, stream: Stream) -> None:
        downstream = Downstream(stream, bound, next(self._numbers), lambda: self._cycle)
        self._downstreams.add(downstream)
        try:
            await downstream.serve()
        finally:
            self._downstreams.discard(downstream)
            if self._stopping.is_set() and not self._downstreams:
                self._idle.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for cycle in (self._cycle, *self._retired):
                cycle.tick()

    async def _end(self) -> None:
        """Stop accepting, let the requests in flight end if that was asked, and cut the rest."""
        self._ports.close()
        for downstream in self._downstreams:
            downstream.http.drain()
        patience_s = self._cycle.config.main.worker_shutdown_timeout_s
        if self._is_graceful and self._downstreams:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), patience_s)
        await self._ports.drain(0)
        if self._status is not None:
            await self._status.close()

    def _make_cycle(self, loaded: LoadedFile) -> Cycle:
        around = Surroundings(
            prefix=self._options.folder,
            resolve=resolve_with(self._options.hosts, resolve_name),
            counters=self._counters,
            error_log=self._options.error_log,
        )
        cycle = Cycle(loaded.config, around)
        for problem in loaded.config.warnings:
            cycle.log.write_problem(problem)
        return cycle

    def _log_problems(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._cycle.log.write_problem(problem)

    def _write_pid(self) -> None:
        """Write the process's number where `pid` says, if that folder is there."""
        path = os.path.join(self._options.folder, self._cycle.config.main.pid)
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            self._pid_path = path
        except FileNotFoundError:
            return  # nginx's default is below its own prefix, which a lone file does not have
        except OSError as error:
            self._cycle.log.write("emerg", f'open() "{path}" failed ({error.strerror})')

    def _remove_pid(self) -> None:
        if self._pid_path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._pid_path)


@contextlib.contextmanager
def _held_back(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Let signals wait until their handlers are there: who finds us listening may send them."""
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

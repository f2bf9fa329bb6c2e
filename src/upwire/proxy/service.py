"""What a master and its workers have in common: the configuration in force and the open addresses.

nginx's cycle and its listening sockets. A reload replaces the one and keeps the others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence

from upwire.errors import ConfigError, Problem
from upwire.net.stream import Address
from upwire.proxy import announcement
from upwire.proxy.cycle import Cycle, Surroundings, resolve_with
from upwire.proxy.load import LoadedFile, load_file, parse_version
from upwire.proxy.options import DEFAULT_CONF, ProxyOptions
from upwire.proxy.ports import Ports
from upwire.proxy.privileges import Credentials
from upwire.proxy.status import Counters, StatusServer
from upwire.proxy.temp_folders import make_folders
from upwire.proxy.zone import Zones


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


class Service:
    """The configuration in force, the sockets, the logs, and the memory that processes share."""

    def __init__(self, options: ProxyOptions, loaded: LoadedFile) -> None:
        """Make ready without binding anything; raises ConfigError."""
        self.options = options
        self.counters = Counters()
        self.zones = Zones()
        self.ports = Ports(options.folder)
        self.status: StatusServer | None = None
        self._loaded = loaded
        self._retired: list[Cycle] = []
        self.cycle = self._make_cycle(loaded)
        self.zones.commit()

    @property
    def credentials(self) -> Credentials | None:
        """Who the workers are to be; None where they stay who we are."""
        return self._loaded.credentials

    @property
    def pid_path(self) -> str:
        """Where our number is to be written."""
        return os.path.join(self.options.folder, self.cycle.config.main.pid)

    @property
    def status_addresses(self) -> tuple[Address, ...]:
        """Where the counters are told; none without --status, or before `open()`."""
        return self.status.addresses if self.status is not None else ()

    def open(self) -> None:
        """Make the folders of temporary files and bind every address; raises ConfigError."""
        make_folders(self.cycle.temp_paths(), self.credentials)
        self.ports.open(self.cycle.config, self.cycle.router)
        if (address := self.options.status_address) is not None:
            self.status = StatusServer(self.counters, *address)

    def reload(self) -> bool:
        """Read the configuration again; one that does not load changes nothing and says why.

        Returns whether a new one is in force. Requests in flight keep theirs.
        """
        self.cycle.log.write("notice", "reconfiguring")
        try:
            loaded = load(self.options)
            cycle = self._make_cycle(loaded)
        except ConfigError as error:
            self._fail_reload(error)
            return False
        try:
            make_folders(cycle.temp_paths(), loaded.credentials)
            left = self.ports.open(cycle.config, cycle.router)
        except ConfigError as error:
            cycle.close()
            self._fail_reload(error)
            return False
        for listener in left:
            listener.close()
        self.zones.commit()
        self._loaded = loaded
        old, self.cycle = self.cycle, cycle
        old.retire()
        self._retired = [one for one in (*self._retired, old) if not one.is_closed]
        cycle.log.write("notice", "configuration is in force")
        self._log_problems(announcement.unguarded(loaded))
        return True

    def reopen_logs(self) -> None:
        """Open the log files anew, after they were rotated; they are to be the workers' own."""
        self.cycle.log.write("notice", "reopening logs")
        for cycle in (self.cycle, *self._retired):
            for problem in cycle.reopen_logs(self.credentials):
                cycle.log.write_problem(problem)

    def tick(self) -> None:
        """Do what is due every second."""
        for cycle in (self.cycle, *self._retired):
            cycle.tick()

    def close_idle(self) -> None:
        """Close the idle connections to upstreams, as long as the loop runs."""
        for cycle in (self.cycle, *self._retired):
            cycle.close_idle()

    def close(self) -> None:
        """Close the logs, when nothing is served any more."""
        for cycle in (self.cycle, *self._retired):
            cycle.close()

    def _make_cycle(self, loaded: LoadedFile) -> Cycle:
        around = Surroundings(
            prefix=self.options.folder,
            resolve=resolve_with(self.options.hosts, resolve_name),
            counters=self.counters,
            zones=self.zones,
            error_log=self.options.error_log,
            tunnel_options=self.options.tunnels,
        )
        cycle = Cycle(loaded.config, around)
        for problem in loaded.warnings:
            cycle.log.write_problem(problem)
        return cycle

    def _fail_reload(self, error: ConfigError) -> None:
        self.zones.roll_back()
        self._log_problems(error.problems)

    def _log_problems(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.cycle.log.write_problem(problem)

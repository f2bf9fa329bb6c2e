"""The options of `upwire proxy`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from upwire.proxy.load import parse_version


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What `upwire proxy` is asked for on the command line; nginx's letters where it has them."""

    conf: str = field(
        default="nginx.conf",
        metadata={"flags": ("-c", "--conf"), "metavar": "FILE", "help": "the configuration"},
    )
    prefix: str | None = field(
        default=None,
        metadata={
            "flags": ("-p", "--prefix"),
            "metavar": "FOLDER",
            "help": "the folder of relative names (the configuration's own)",
        },
    )
    directives: str = field(
        default="",
        metadata={
            "flags": ("-g", "--directives"),
            "metavar": "TEXT",
            "help": "directives in front of the configuration, such as 'pid /run/upwire.pid;'",
        },
    )
    error_log: str | None = field(
        default=None,
        metadata={
            "flags": ("-e", "--error-log"),
            "metavar": "FILE",
            "help": "the error log where the configuration names none (standard error)",
        },
    )
    add_host: tuple[str, ...] = field(
        default=(),
        metadata={"metavar": "NAME=ADDRESS", "help": "resolve a name to this address"},
    )
    nginx: str | None = field(
        default=None,
        metadata={"metavar": "VERSION", "help": "take the defaults of that nginx, such as 1.22"},
    )
    status: str | None = field(
        default=None,
        metadata={"metavar": "HOST:PORT", "help": "tell the live counters there, as JSON"},
    )
    test: bool = field(
        default=False, metadata={"flags": ("-t", "--test"), "help": "check the configuration only"}
    )
    dump: bool = field(
        default=False,
        metadata={"flags": ("-T", "--dump"), "help": "check the configuration and print its files"},
    )
    quiet: bool = field(
        default=False, metadata={"flags": ("-q", "--quiet"), "help": "say nothing but errors"}
    )
    brief: bool = field(
        default=False, metadata={"flags": ("-v", "--brief"), "help": "print the version"}
    )
    build: bool = field(
        default=False,
        metadata={"flags": ("-V", "--build"), "help": "print the version, and nginx's"},
    )

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be meant."""
        for text in self.add_host:
            name, equals, address = text.partition("=")
            if not (name and equals and address):
                raise ValueError(f'--add-host takes NAME=ADDRESS, not "{text}"')
        if self.nginx is not None:
            parse_version(self.nginx)
        if self.status is not None and not self.status.rpartition(":")[2].isdecimal():
            raise ValueError(f'--status takes HOST:PORT, not "{self.status}"')

    @property
    def conf_path(self) -> str:
        """The configuration's absolute path: below prefix, where one is given."""
        return os.path.abspath(os.path.join(self.prefix or "", self.conf))

    @property
    def folder(self) -> str:
        """The folder that relative names are below."""
        return os.path.abspath(self.prefix) if self.prefix else os.path.dirname(self.conf_path)

    @property
    def hosts(self) -> dict[str, str]:
        """The table of --add-host, names in lower case."""
        pairs = (text.partition("=") for text in self.add_host)
        return {name.lower(): address for name, _, address in pairs}

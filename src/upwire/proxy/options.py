"""The options of `upwire proxy`."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from upwire.conf.values import parse_size, parse_time
from upwire.proxy.cycle import TunnelOptions
from upwire.proxy.load import parse_version

DEFAULT_CONF = "nginx.conf"
SIGNALS = {
    "stop": signal.SIGTERM,
    "quit": signal.SIGQUIT,
    "reload": signal.SIGHUP,
    "reopen": signal.SIGUSR1,
}
"""What -s sends."""

_STATUS_HOST = "127.0.0.1"
_SPIN_US = 10_000
_HOST_NAME_OCTETS = 253  # RFC 1035 §2.3.4, without the length octets at both ends
# RFC 1123 §2.1, with the "_" of container networks; an all-numeric end makes an address of it.
_HOST_NAME = re.compile(r"(?:[\w-]{1,63}\.)*(?!\d+\.?$)[\w-]{1,63}\.?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What `upwire proxy` is asked for on the command line; nginx's letters where it has them."""

    conf: str = field(
        default=DEFAULT_CONF,
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
        metadata={
            "metavar": "NAME=ADDRESS",
            "help": "resolve a name to this address; the port is proxy_pass's",
        },
    )
    nginx: str | None = field(
        default=None,
        metadata={"metavar": "VERSION", "help": "take the defaults of that nginx, such as 1.22"},
    )
    status: str | None = field(
        default=None,
        metadata={"metavar": "[HOST:]PORT", "help": "tell the live counters there, as JSON"},
    )
    ws_message_limit: str | None = field(
        default=None,
        metadata={
            "metavar": "SIZE",
            "help": "end a tunnel with 1009 at a WebSocket message that is longer, such as 1m",
        },
    )
    ws_ping_interval: str | None = field(
        default=None,
        metadata={
            "metavar": "TIME",
            "help": "ping both sides of a tunnel that was silent for so long, such as 30s",
        },
    )
    spin: int = field(
        default=0,
        metadata={
            "metavar": "MICROSECONDS",
            "help": "watch tunnels so long for more before sleeping: less latency, more CPU",
        },
    )
    send: str | None = field(
        default=None,
        metadata={
            "flags": ("-s", "--send"),
            "metavar": "SIGNAL",
            "help": "send to the running master: stop, quit, reopen or reload",
        },
    )
    test: bool = field(
        default=False, metadata={"flags": ("-t", "--test"), "help": "check the configuration only"}
    )
    dump: bool = field(
        default=False,
        metadata={"flags": ("-T", "--dump"), "help": "check the configuration and print its files"},
    )
    quiet: bool = field(
        default=False,
        metadata={"flags": ("-q", "--quiet"), "help": "say nothing but errors, and what is open"},
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
            _check_added_host(text)
        if self.send is not None and self.send not in SIGNALS:
            raise ValueError(f'invalid option: "-s {self.send}"')
        if self.nginx is not None:
            parse_version(self.nginx)
        if self.status is not None:
            _parse_status(self.status)
        if not 0 <= self.spin <= _SPIN_US:
            raise ValueError(f"--spin takes 0 to {_SPIN_US} microseconds, not {self.spin}")
        _parse_positive("--ws-message-limit", "SIZE", self.ws_message_limit, parse_size)
        _parse_positive("--ws-ping-interval", "TIME", self.ws_ping_interval, parse_time)

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

    @property
    def tunnels(self) -> TunnelOptions:
        """What --ws-message-limit, --ws-ping-interval and --spin ask for."""
        limit, interval = self.ws_message_limit, self.ws_ping_interval
        return TunnelOptions(
            message_limit_octets=None if limit is None else parse_size(limit),
            ping_interval_s=None if interval is None else parse_time(interval),
            spin_s=self.spin / 1e6,
        )

    @property
    def status_address(self) -> tuple[str, int] | None:
        """Host and port of --status."""
        return _parse_status(self.status) if self.status is not None else None


def _parse_positive(
    option: str, metavar: str, text: str | None, parse: Callable[[str], float]
) -> None:
    """Raise ValueError, as the command line shows it, for what nginx would not take, and for 0."""
    if text is None:
        return
    try:
        is_right = parse(text) > 0
    except ValueError:
        is_right = False
    if not is_right:
        raise ValueError(f'{option} takes a {metavar} as nginx.conf does, not "{text}"')


def _check_added_host(text: str) -> None:
    """Raise ValueError for what is no NAME=ADDRESS."""
    name, equals, address = text.partition("=")
    if not (name and equals and address):
        raise ValueError(f'--add-host takes NAME=ADDRESS, not "{text}"')
    if not _is_host(address):
        raise ValueError(
            f'--add-host takes NAME=ADDRESS, and "{address}" is neither an address nor a host name;'
            " the port comes from proxy_pass"
        )


def _parse_status(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT, or of a port of this machine; raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host if colon else _STATUS_HOST
    if not (_is_host(host) and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= 65535):
        raise ValueError(f'--status takes HOST:PORT or PORT, not "{text}"')
    return host.strip("[]"), int(port)


def _is_host(text: str) -> bool:
    """Whether text is a literal address, an IPv6 one with or without brackets, or may be a name."""
    if text.startswith("[") and text.endswith("]"):
        return _is_address(text[1:-1]) and ":" in text
    return _is_address(text) or (
        len(text) <= _HOST_NAME_OCTETS and _HOST_NAME.fullmatch(text) is not None
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

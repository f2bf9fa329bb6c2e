"""The values that a deployment is described by, read from what a user wrote.

Each refuses what could leave its place in a generated file. Errors are ValueErrors of one line.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass

from upwire.conf.values import UNIX_PATH_OCTETS_MAX, parse_time

LEAST_IDLE_S = 75
"""What is less cuts clients that ping once a minute."""

_MOST_IDLE_S = 365 * 86400
_PORT_MAX = 65535
_RATE_MAX = 100_000
_HOST_OCTETS_MAX = 253  # RFC 1035 §2.3.4, without the length octets at both ends
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_URI_PATH = re.compile(r"/[A-Za-z0-9._~/@:+,=!-]*")
_BARRED_IN_PATHS = "\"'\\$"
_RATE = re.compile(r"([0-9]{1,6})(?:r/([sm]))?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_TIME_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


@dataclass(frozen=True, slots=True)
class Backend:
    """A server that answers: a host and a port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    socket: str = ""

    @property
    def address(self) -> str:
        """It as nginx's `server` has it."""
        if self.socket:
            return f"unix:{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """Its address, None where it has a name or a socket."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def is_name(self) -> bool:
        """Whether its address has to be asked for."""
        return not self.socket and self.ip is None


@dataclass(frozen=True, slots=True)
class Listen:
    """Where clients come in; address "" is every IPv4 address."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Handshakes that one address may make; unit is "s" or "m"."""

    count: int
    unit: str


def parse_host(text: str) -> str:
    """Return a name of the site in lower case; `*.` may stand before it."""
    name = text.lower()
    if len(name) > _HOST_OCTETS_MAX or not _NAME.fullmatch(name.removeprefix("*.")):
        raise ValueError(f"host {_show(text)} is no name such as chat.example.com")
    return name


def parse_backend(text: str) -> Backend:
    """Read HOST:PORT, [IPV6]:PORT or unix:/PATH; localhost becomes 127.0.0.1 (F41)."""
    if text.startswith("unix:"):
        path = parse_file(text.removeprefix("unix:"), "backend")
        if ":" in path or len(path.encode()) > UNIX_PATH_OCTETS_MAX:
            raise ValueError(f"backend {_show(text)} is no path of a socket")
        return Backend(socket=path)
    host, _, port = text.rpartition(":")
    name = host.lower()
    if not _is_port(port) or not (_is_bracketed(name) or _is_host(name)):
        raise ValueError(
            f"backend {_show(text)} is not HOST:PORT, such as 127.0.0.1:8080, nor unix:/PATH"
        )
    return Backend("127.0.0.1" if name == "localhost" else name.strip("[]"), int(port))


def parse_listen(text: str) -> Listen:
    """Read PORT or ADDRESS:PORT."""
    address, colon, port = text.rpartition(":")
    if not _is_port(port) or (colon and not (_is_ipv4(address) or _is_bracketed(address))):
        raise ValueError(f"listen {_show(text)} is not PORT or ADDRESS:PORT, such as 8443")
    return Listen(address, int(port))


def parse_path(text: str) -> str:
    """Return the path of the WebSockets, without a slash at its end unless it is all there is.

    A prefix that ends in a slash would redirect the path without it (F31).
    """
    is_normal = not any(part in ("", ".", "..") for part in text.strip("/").split("/"))
    if not _URI_PATH.fullmatch(text) or "//" in text or not (is_normal or text == "/"):
        raise ValueError(f"path {_show(text)} is no path such as /ws")
    return text.rstrip("/") or "/"


def parse_file(text: str, what: str) -> str:
    """Return an absolute path that needs no escapes in nginx.conf, YAML or a unit of systemd."""
    is_plain = text.isprintable() and not any(sign in text for sign in _BARRED_IN_PATHS)
    if not text.startswith("/") or not is_plain:
        raise ValueError(
            f"{what} {_show(text)} is no absolute path without quotes, backslashes, `$` and "
            "control characters"
        )
    return text


def parse_idle(text: str) -> int:
    """Read nginx's time as seconds."""
    try:
        seconds = parse_time(text)
    except ValueError:
        raise ValueError(f"idle {_show(text)} is no time such as 1h or 90s") from None
    if not LEAST_IDLE_S <= seconds <= _MOST_IDLE_S:
        raise ValueError(
            f"idle {_show(text)} is not between {LEAST_IDLE_S}s and a year: less cuts clients "
            "that ping once a minute"
        )
    return int(seconds)


def parse_rate(text: str) -> Rate:
    """Read N, Nr/s or Nr/m."""
    match = _RATE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= _RATE_MAX:
        raise ValueError(f"rate {_show(text)} is no number of handshakes, such as 5r/s or 30r/m")
    return Rate(int(match[1]), match[2] or "s")


def parse_origin(text: str) -> str:
    """Return an origin as browsers send it: scheme and host in lower case (RFC 6454 §6.2)."""
    origin = text.lower()
    match = _ORIGIN.fullmatch(origin)
    if match is None or (match[3] is not None and not _is_port(match[3])):
        raise ValueError(
            f"origin {_show(text)} is not SCHEME://HOST, such as https://chat.example.com"
        )
    default = {"http": "80", "https": "443"}.get(match[1])
    return f"{match[1]}://{match[2]}" if match[3] == default else origin


def parse_resolver(text: str) -> str:
    """Read the address of a name server, with or without its port."""
    address, _, port = text.rpartition(":")
    is_with_port = _is_port(port) and (_is_ipv4(address) or _is_bracketed(address))
    if not (_is_ipv4(text) or _is_bracketed(text) or is_with_port):
        raise ValueError(f"resolver {_show(text)} is no address such as 127.0.0.53 or [::1]:53")
    return text


def nginx_time(seconds: int) -> str:
    """Return a time as nginx.conf has it, in the greatest unit that fits."""
    for length, unit in _TIME_UNITS:
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _show(text: str) -> str:
    """Return what a user wrote on one line that no terminal obeys."""
    return json.dumps(text)


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= _PORT_MAX


def _is_host(name: str) -> bool:
    """Whether a name can be meant; one that ends in a number can only be an address."""
    if len(name) > _HOST_OCTETS_MAX or not _NAME.fullmatch(name):
        return False
    return _is_ipv4(name) or not name.rpartition(".")[2].isdigit()


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_bracketed(text: str) -> bool:
    if not (text.startswith("[") and text.endswith("]")) or "%" in text:
        return False
    try:
        ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        return False
    return True

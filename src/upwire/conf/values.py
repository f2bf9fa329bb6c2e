"""nginx's numbers, sizes, times and addresses. What cannot be read raises ValueError.

The rules are those of ngx_parse.c, ngx_string.c and ngx_inet.c.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

INT_MAX = (1 << 63) - 1
UNIX_PATH_OCTETS_MAX = 107  # sun_path, less its NUL

_SIZE_UNITS = {"k": 1 << 10, "m": 1 << 20}
_OFFSET_UNITS = {**_SIZE_UNITS, "g": 1 << 30}
_TIME_UNITS = (  # from the greatest to the least, in seconds
    ("y", 365 * 86400),
    ("M", 30 * 86400),
    ("w", 7 * 86400),
    ("d", 86400),
    ("h", 3600),
    ("m", 60),
    ("s", 1),
    ("ms", 0.001),
)
_MONTH, _SECONDS = 1, 6  # the places of "M" and "s"


def parse_number(text: str) -> int:
    """Read decimal digits, and nothing else."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    number = int(text)
    if number > INT_MAX:
        raise ValueError(text)
    return number


def parse_size(text: str) -> int:
    """Read octets, with an optional k or m, such as "8k"."""
    return _parse_scaled(text, _SIZE_UNITS)


def parse_offset(text: str) -> int:
    """Read octets, with an optional k, m or g, such as "1g"."""
    return _parse_scaled(text, _OFFSET_UNITS)


def _parse_scaled(text: str, units: dict[str, int]) -> int:
    scale = units.get(text[-1:].lower())
    octets = parse_number(text[:-1]) * scale if scale else parse_number(text)
    if octets > INT_MAX:
        raise ValueError(text)
    return octets


def parse_time(text: str, *, least_is_seconds: bool = False) -> float:
    """Read a time such as "1h 30m" or "500ms" as seconds; a bare number counts seconds.

    Units go from the greatest to the least, each once. Years and months may stand only where the
    least unit is seconds, milliseconds only where it is not.
    """
    total, at, digits_seen = 0.0, 0, False
    step = -1 if least_is_seconds else _MONTH
    while at < len(text):
        start = at
        while at < len(text) and text[at].isascii() and text[at].isdigit():
            at += 1
        value = parse_number(text[start:at]) if at > start else 0
        digits_seen = digits_seen or at > start
        if at == len(text):
            total += value
            break
        unit = "ms" if text.startswith("ms", at) else text[at]
        at += len(unit)
        this = _SECONDS if unit == " " else _unit_step(unit, least_is_seconds)
        if this <= step:
            raise ValueError(text)
        step = _SECONDS + 1 if unit == " " else this
        total += value * _TIME_UNITS[this][1]
        at += len(text[at:]) - len(text[at:].lstrip(" "))
    if not digits_seen or total > INT_MAX:
        raise ValueError(text)
    return total


def _unit_step(unit: str, least_is_seconds: bool) -> int:
    for step, (name, _) in enumerate(_TIME_UNITS):
        if name == unit and not (least_is_seconds and unit == "ms"):
            return step
    raise ValueError(unit)


@dataclass(frozen=True, slots=True)
class Address:
    """An address as nginx writes it: "host:port", "[::1]:port" or "unix:path", and a URI.

    port_text is "" where none was written; uri is "" where none was. unix is a socket's path. A
    literal IPv6 host keeps its brackets.
    """

    host: str
    port: int
    port_text: str = ""
    uri: str = ""
    unix: str | None = None

    @property
    def is_literal(self) -> bool:
        """Whether host is an IP address, not a name that has to be resolved."""
        return self.host.startswith("[") or is_ipv4(self.host)


def is_ipv4(text: str) -> bool:
    """Whether text is four decimal octets with dots between them."""
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and int(part) <= 255 for part in parts
    )


def parse_address(text: str, default_port: int, *, with_uri: bool = False) -> Address:
    """Read an address to connect to; raises ValueError with nginx's word for what is wrong.

    with_uri: a path may follow, as in `proxy_pass`; otherwise it makes the host invalid.
    """
    if text[:5].lower() == "unix:":
        path, _, uri = text[5:].partition(":") if with_uri else (text[5:], "", "")
        return Address("", 0, uri=uri, unix=check_unix_path(path))
    authority, uri = _cut_uri(text)
    if uri and not with_uri:
        raise ValueError("invalid host")
    host, port_text = split_port(authority)
    port = parse_port(port_text) if port_text is not None else default_port
    return Address(check_host(host), port, port_text or "", uri)


def check_unix_path(path: str) -> str:
    """Return the path of a UNIX-domain socket if the system takes it."""
    if not path:
        raise ValueError("no path in the unix domain socket")
    if len(path) > UNIX_PATH_OCTETS_MAX:
        raise ValueError("too long path in the unix domain socket")
    return path


def _cut_uri(text: str) -> tuple[str, str]:
    """Split before the first "/", or "?" where the host is no IPv6 literal."""
    start = text.find("]") if text.startswith("[") else 0
    signs = "/" if text.startswith("[") else "/?"
    places = [at for sign in signs if (at := text.find(sign, max(start, 0))) >= 0]
    end = min(places, default=len(text))
    return text[:end], text[end:]


def split_port(text: str) -> tuple[str, str | None]:
    """Split "host:port"; the port is None where no ":" stands."""
    if not text.startswith("["):
        host, colon, port = text.partition(":")
        return host, port if colon else None
    host, bracket, rest = text.partition("]")
    if not bracket or (rest and not rest.startswith(":")):
        raise ValueError("invalid host")
    return host + "]", rest[1:] if rest else None


def check_host(host: str) -> str:
    """Return host if it is no empty name and no broken IPv6 literal."""
    if host in ("", "[]"):
        raise ValueError("no host")
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("invalid IPv6 address") from None
    return host


def is_address(text: str) -> bool:
    """Whether text is a literal IP address, brackets left out."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_port(text: str) -> int:
    """Read a port, 1 to 65535."""
    try:
        port = parse_number(text)
    except ValueError:
        port = 0
    if not 1 <= port <= 65535:
        raise ValueError("invalid port")
    return port

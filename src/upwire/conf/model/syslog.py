"""What follows `syslog:` in `error_log` and `access_log`. RFC 3164."""

from __future__ import annotations

import re

from upwire.conf.model.assembly import Wrong
from upwire.conf.model.types.logs import Syslog
from upwire.conf.syntax import Position
from upwire.conf.values import parse_address

PREFIX = "syslog:"
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock"),
    *("authpriv", "ftp", "ntp", "audit", "alert", "cron"),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")

_DEFAULT_PORT = 514
_TAG_OCTETS = 32
_TAG = re.compile(r"\w*", re.ASCII)


def read_syslog(text: str, at: Position) -> Syslog:
    """Return the server and the header that text asks for; raises Wrong, in nginx's words."""
    given: dict[str, str] = {}
    for parameter in text.removeprefix(PREFIX).split(","):
        name, equals, value = parameter.partition("=")
        if parameter == "nohostname":
            given[parameter] = ""
        elif not equals or name not in ("server", "facility", "severity", "tag"):
            raise Wrong(f'unknown syslog parameter "{parameter}"', at)
        elif name in given:
            raise Wrong(f'duplicate syslog "{name}"', at)
        else:
            given[name] = value
    if "server" not in given:
        raise Wrong("no syslog server specified", at)
    try:
        address = parse_address(given["server"], _DEFAULT_PORT)
    except ValueError as error:
        raise Wrong(f'{error} in syslog server "{given["server"]}"', at) from None
    return Syslog(
        host=address.host,
        port=address.port,
        unix=address.unix,
        facility=_number(FACILITIES, "facility", given.get("facility", "local7"), at),
        severity=_number(SEVERITIES, "severity", given.get("severity", "info"), at),
        tag=_read_tag(given.get("tag", "nginx"), at),
        has_hostname="nohostname" not in given,
    )


def _number(names: tuple[str, ...], what: str, name: str, at: Position) -> int:
    if name not in names:
        raise Wrong(f'unknown syslog {what} "{name}"', at)
    return names.index(name)


def _read_tag(tag: str, at: Position) -> str:
    if len(tag) > _TAG_OCTETS:
        raise Wrong(f"syslog tag length exceeds {_TAG_OCTETS}", at)
    if not _TAG.fullmatch(tag):
        raise Wrong('syslog "tag" only allows alphanumeric characters and underscore', at)
    return tag

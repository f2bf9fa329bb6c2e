"""What ngx_http_headers_filter_module does in a location."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from upwire.conf.values import parse_time
from upwire.conf.variables import Template

_DAY_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class AddHeader:
    """`add_header`, `add_trailer`: unless always, for 200, 201, 204, 206, 301-304, 307, 308."""

    name: str
    value: Template
    always: bool = False


class Since(enum.Enum):
    """What the time of an `expires` counts from."""

    ACCESS = enum.auto()
    MODIFIED = enum.auto()
    MIDNIGHT = enum.auto()
    EPOCH = enum.auto()  # expired long ago
    MAX = enum.auto()  # as good as never


@dataclass(frozen=True, slots=True)
class Expires:
    """When a response expires: so many seconds from a moment."""

    since: Since
    time_s: int = 0


@dataclass(frozen=True, slots=True)
class ExpiresTemplate:
    """`expires` with variables."""

    text: Template
    is_from_modified: bool = False


def parse_expires(text: str, *, is_from_modified: bool = False) -> Expires | None:
    """Read the time of an `expires`, None for "off"; raises ValueError with nginx's words."""
    if not is_from_modified:
        if text == "off":
            return None
        if text in ("epoch", "max"):
            return Expires(Since[text.upper()])
    since = Since.MODIFIED if is_from_modified else Since.ACCESS
    if text.startswith("@"):
        if is_from_modified:
            raise ValueError('daily time cannot be used with "modified" parameter')
        since = Since.MIDNIGHT
    digits = text[1:] if text[:1] in ("@", "+", "-") else text
    try:
        time_s = int(parse_time(digits, least_is_seconds=True))
    except ValueError:
        raise ValueError("invalid value") from None
    if since is Since.MIDNIGHT and time_s > _DAY_S:
        raise ValueError("daily time value must be less than 24 hours")
    return Expires(since, -time_s if text.startswith("-") else time_s)

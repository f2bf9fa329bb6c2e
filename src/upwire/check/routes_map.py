"""`--map`: which URI goes to which upstream URI, with which fields, and how long it may be idle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upwire.check.built import addresses_of, label_of, name_of, own_answer
from upwire.check.report import show_text
from upwire.conf.model import Config, Location, LocationSettings, MatchKind, ProxyPass

_HEADINGS = ("LOCATION", "GOES TO", "UPGRADE", "CONNECTION", "HOST", "HTTP", "IDLE")
_NOT_SENT = "-"
_GAP = "  "
_PREFIXES = (MatchKind.PREFIX, MatchKind.PREFIX_NO_REGEX, MatchKind.EXACT)


def draw_map(config: Config) -> Iterator[str]:
    """Yield the lines of a table for each server."""
    for number, server in enumerate(config.servers):
        if number:
            yield ""
        yield show_text(f"server {name_of(server)} at {addresses_of(server)}")
        rows = [_HEADINGS, *(_row(found, depth) for found, depth in _walk(server.locations, 0))]
        if (answer := own_answer(server.rewrite)) is not None:
            rows.insert(1, ("(any)", answer, "", "", "", "", ""))
        yield from _align([tuple(show_text(cell) for cell in row) for row in rows])


def _walk(locations: Sequence[Location], depth: int) -> Iterator[tuple[Location, int]]:
    for location in locations:
        yield location, depth
        yield from _walk(location.locations, depth + 1)


def _row(location: Location, depth: int) -> tuple[str, ...]:
    label = _GAP * depth + label_of(location).removeprefix("location ")
    prefix = location.pattern if location.kind in _PREFIXES else ""
    settings = location.settings
    answer = own_answer(location.rewrite)
    destination = _destination(settings, prefix) if answer is None else answer
    if answer is not None or settings.proxy.pass_ is None:
        return label, destination, "", "", "", "", ""
    major, minor = settings.proxy.http_version
    idle = f"{settings.proxy.read_timeout_s:g} s"
    fields = [_field(settings, name) for name in ("upgrade", "connection", "host")]
    return label, destination, *fields, f"{major}.{minor}", idle


def _destination(settings: LocationSettings, prefix: str) -> str:
    passed = settings.proxy.pass_
    if passed is not None:
        return _upstream_uri(passed, prefix)
    if settings.handler is not None:
        return settings.handler
    if settings.alias is not None:
        return f"files of {settings.alias.text}"
    return f"files below {settings.root.text}" if settings.root is not None else "files"


def _upstream_uri(passed: ProxyPass, prefix: str) -> str:
    """Return the URL that the location's own URI goes to; "..." is what follows it."""
    if passed.template is not None:
        return passed.template.text
    start = f"{passed.scheme}://{passed.authority}"
    if passed.uri is None:
        return f"{start}{prefix}..."
    return f"{start}{passed.uri}..."


def _field(settings: LocationSettings, name: str) -> str:
    values = [value.text for field, value in settings.proxy.set_headers if field.lower() == name]
    return " and ".join(value for value in values if value) or _NOT_SENT


def _align(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (_GAP + _GAP.join(cells)).rstrip()

"""`limit_req` and `limit_conn`, and the zones that count for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.types import (
    ConnLimit,
    LimitConn,
    LimitConnZone,
    LimitReq,
    LimitReqZone,
    ReqLimit,
)
from upwire.conf.syntax import Directive, Position
from upwire.conf.values import parse_number, parse_size

_ZONE_OCTETS_MIN = 8 * 4096
_THOUSAND = 1000
_CONNECTIONS_MAX = 65535
_DEFAULT_STATUS = 503

T = TypeVar("T", LimitReqZone, LimitConnZone)


def declare_zones(http: Scope, assembly: Assembly) -> None:
    """Read the zones, which any level may refer to, before and after them."""
    assembly.limit_req_zones = _by_name(http.own("limit_req_zone"), read_limit_req_zone, assembly)
    assembly.limit_conn_zones = _by_name(
        http.own("limit_conn_zone"), read_limit_conn_zone, assembly
    )


def check_zone_names(upstream_zones: Iterable[str], assembly: Assembly) -> None:
    """A zone has one use; names are those that upstreams declared."""
    taken = set(upstream_zones)
    for zones in (assembly.limit_req_zones, assembly.limit_conn_zones):
        for name in zones:
            if name in taken:
                message = f'the shared memory zone "{name}" is already declared for a different use'
                assembly.fault(message, zones[name].position)
            taken.add(name)


def _by_name(
    lines: Iterable[Directive], reader: Callable[[Directive, Assembly], T], assembly: Assembly
) -> dict[str, T]:
    zones: dict[str, T] = {}
    for line in lines:
        zone = assembly.read(reader, line)
        if zone is None:
            continue
        if zone.name in zones:
            bound = zones[zone.name].key.text
            message = f'{line.name} "{zone.name}" is already bound to key "{bound}"'
            assembly.fault(message, line.position)
        else:
            zones[zone.name] = zone
    return zones


def read_limit_req_zone(directive: Directive, assembly: Assembly) -> LimitReqZone:
    """Return one zone; its rate is one request a second where none is given."""
    name, octets, rate = "", 0, 1 * _THOUSAND
    for text, at in _parameters(directive):
        if text.startswith("zone="):
            name, octets = _read_zone(text, at)
        elif text.startswith("rate="):
            rate = _read_rate(text, at)
        else:
            raise Wrong(f'invalid parameter "{text}"', at)
    _check_name(name, directive)
    key = assembly.template(directive.args[0])
    return LimitReqZone(name, key, octets, directive.position, rate)


def read_limit_conn_zone(directive: Directive, assembly: Assembly) -> LimitConnZone:
    """Return one zone."""
    name, octets = "", 0
    for text, at in _parameters(directive):
        if not text.startswith("zone="):
            raise Wrong(f'invalid parameter "{text}"', at)
        name, octets = _read_zone(text, at)
    _check_name(name, directive)
    key = assembly.template(directive.args[0])
    return LimitConnZone(name, key, octets, directive.position)


def effective_limit_req(scope: Scope, assembly: Assembly) -> LimitReq:
    """Return the limits of the innermost level that has any."""
    return LimitReq(
        assembly.read_all(read_limit_req, scope.effective("limit_req")),
        scope.text("limit_req_log_level").lower(),
        _status(scope, "limit_req_status"),
        scope.flag("limit_req_dry_run"),
    )


def effective_limit_conn(scope: Scope, assembly: Assembly) -> LimitConn:
    """Return the limits of the innermost level that has any."""
    return LimitConn(
        assembly.read_all(read_limit_conn, scope.effective("limit_conn")),
        scope.text("limit_conn_log_level").lower(),
        _status(scope, "limit_conn_status"),
        scope.flag("limit_conn_dry_run"),
    )


def read_limit_req(directive: Directive, assembly: Assembly) -> ReqLimit | None:
    """Return one limit; None where its zone is missing, which is noted."""
    name, burst, delay = "", 0, 0
    for text, at in zip(directive.args, directive.arg_positions, strict=True):
        if text.startswith("zone="):
            name = text[len("zone=") :]
        elif text.startswith("burst="):
            burst = _read_count(text, "burst", at)
        elif text.startswith("delay="):
            delay = _read_count(text, "delay", at)
        elif text == "nodelay":
            delay = -1
        else:
            raise Wrong(f'invalid parameter "{text}"', at)
    _check_name(name, directive)
    zone = assembly.limit_req_zones.get(name)
    if zone is None:
        assembly.missing(f'zero size shared memory zone "{name}"', directive.position)
        return None
    return ReqLimit(zone, burst * _THOUSAND, None if delay < 0 else delay * _THOUSAND)


def read_limit_conn(directive: Directive, assembly: Assembly) -> ConnLimit | None:
    """Return one limit; None where its zone is missing, which is noted."""
    name, text = directive.args
    at = directive.arg_positions[1]
    try:
        connections = parse_number(text)
    except ValueError:
        connections = 0
    if connections <= 0:
        raise Wrong(f'invalid number of connections "{text}"', at)
    if connections > _CONNECTIONS_MAX:
        raise Wrong("connection limit must be less 65536", at)
    zone = assembly.limit_conn_zones.get(name)
    if zone is None:
        assembly.missing(f'zero size shared memory zone "{name}"', directive.position)
        return None
    return ConnLimit(zone, connections)


def check_repeats(directive: Directive, assembly: Assembly) -> None:
    """Note a zone that one level limits by twice."""
    for command in ("limit_req", "limit_conn"):
        seen: set[str] = set()
        for line in directive.block or ():
            if line.name != command:
                continue
            name = next((text for text in line.args if text.startswith("zone=")), line.args[0])
            if name in seen:
                assembly.fault(f'"{command}" directive is duplicate', line.position)
            seen.add(name)


def _parameters(directive: Directive) -> Iterable[tuple[str, Position]]:
    return zip(directive.args[1:], directive.arg_positions[1:], strict=True)


def _check_name(name: str, directive: Directive) -> None:
    if not name:
        message = f'"{directive.name}" must have "zone" parameter'
        raise Wrong(message, directive.position)


def _read_zone(text: str, at: Position) -> tuple[str, int]:
    name, colon, size = text[len("zone=") :].partition(":")
    try:
        if not colon:
            raise ValueError(text)
        octets = parse_size(size)
    except ValueError:
        raise Wrong(f'invalid zone size "{text}"', at) from None
    if octets < _ZONE_OCTETS_MIN:
        raise Wrong(f'zone "{text}" is too small', at)
    return name, octets


def _read_rate(text: str, at: Position) -> int:
    number, seconds = text[len("rate=") :], 1
    if number.endswith("r/s"):
        number = number[:-3]
    elif number.endswith("r/m"):
        number, seconds = number[:-3], 60
    try:
        rate = parse_number(number)
    except ValueError:
        rate = 0
    if rate <= 0:
        raise Wrong(f'invalid rate "{text}"', at)
    return rate * _THOUSAND // seconds


def _read_count(text: str, name: str, at: Position) -> int:
    try:
        count = parse_number(text.partition("=")[2])
    except ValueError:
        count = 0
    if count <= 0:
        raise Wrong(f'invalid {name} value "{text}"', at)
    return count


def _status(scope: Scope, name: str) -> int:
    args = scope.args(name)
    return parse_number(args[0]) if args else _DEFAULT_STATUS

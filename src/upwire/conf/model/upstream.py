"""`upstream`: a named group of peers, and how one of them is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from upwire.conf.directives import Context
from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.resolver import effective_resolver
from upwire.conf.model.types import Balance, Keepalive, Peer, Upstream, UpstreamZone
from upwire.conf.syntax import Directive
from upwire.conf.values import is_address, parse_address, parse_number, parse_size, parse_time

_DEFAULT_PORT = 80
_METHODS = ("hash", "ip_hash", "least_conn", "least_time", "random")
_METHODS_WITHOUT_BACKUP = ("hash", "ip_hash", "random")
_ZONE_OCTETS_MIN = 8 * 4096
_DEFAULT_RESOLVER_TIMEOUT_S = 30.0
_ROUTE_OCTETS_MAX = 32


def declare_upstreams(http: Scope, assembly: Assembly) -> None:
    """Note the names of all upstream blocks, before anything refers to them."""
    for directive in http.own("upstream"):
        name = directive.args[0].lower()
        if name in assembly.upstreams:
            message = f'duplicate upstream "{directive.args[0]}"'
            assembly.fault(message, directive.arg_positions[0])
        else:
            assembly.upstreams[name] = directive


def read_upstream(directive: Directive, http: Scope, assembly: Assembly) -> Upstream:
    """Return one group; its peers' names are not resolved."""
    block = directive.block or ()
    scope = Scope(block, assembly.version, context=Context.UPSTREAM)
    balance = Balance()
    peers: list[Peer] = []
    for line in block:
        if line.name in _METHODS:
            if balance.method != "round_robin":
                assembly.warn("load balancing method redefined", line.position)
            balance = assembly.read(read_balance, line) or Balance(line.name)
        elif line.name == "server":
            _check_backup(line, balance.method, assembly)
            peers += filter(None, [assembly.read(read_peer, line)])
    lines = scope.own("server")
    if not lines:
        assembly.missing("no servers are inside upstream", directive.end)
    elif balance.method not in _METHODS_WITHOUT_BACKUP and all(map(_is_backup, lines)):
        assembly.missing(f'no servers in upstream "{directive.args[0]}"', directive.position)
    zone = scope.own_one("zone")
    upstream = Upstream(
        directive.args[0],
        tuple(peers),
        directive.position,
        keepalive=_read_keepalive(scope, assembly),
        balance=balance,
        zone=assembly.read(_read_zone, zone) if zone is not None else None,
    )
    if any(peer.resolve for peer in peers):
        return _with_resolver(upstream, scope, http, assembly)
    return upstream


def _with_resolver(upstream: Upstream, scope: Scope, http: Scope, assembly: Assembly) -> Upstream:
    """Return upstream with its own resolver, or http's; it takes a zone and a resolver."""
    if upstream.zone is None:
        message = f'resolving names at run time requires upstream "{upstream.name}"'
        assembly.missing(message + " to be in shared memory", upstream.position)
    resolver = effective_resolver(scope, assembly) or effective_resolver(http, assembly)
    if resolver is None:
        message = f'no resolver defined to resolve names at run time in upstream "{upstream.name}"'
        assembly.missing(message, upstream.position)
    timeout = scope.one("resolver_timeout") or http.one("resolver_timeout")
    return replace(
        upstream,
        resolver=resolver,
        resolver_timeout_s=(
            parse_time(timeout.args[0]) if timeout is not None else _DEFAULT_RESOLVER_TIMEOUT_S
        ),
    )


def read_balance(directive: Directive, assembly: Assembly) -> Balance:
    """Return a method with its arguments; `least_conn` of `random two` is the default there."""
    words = directive.args[1:] if directive.name == "hash" else directive.args
    known = {"hash": ("consistent",), "random": ("two", "least_conn")}.get(directive.name, words)
    places = directive.arg_positions[len(directive.args) - len(words) :]
    for word, right, at in zip(words, known, places, strict=False):
        if word != right:
            raise Wrong(f'invalid parameter "{word}"', at)
    if directive.name == "hash":
        key = assembly.template(directive.args[0])
        return Balance("hash", key, is_consistent=bool(words))
    return Balance(directive.name, is_of_two=directive.name == "random" and bool(words))


def _read_zone(directive: Directive, assembly: Assembly) -> UpstreamZone:
    """Return the shared memory; octets 0 where another upstream says how much."""
    name, *sizes = directive.args
    if not name:
        raise Wrong(f'invalid zone name "{name}"', directive.arg_positions[0])
    if not sizes:
        return UpstreamZone(name, 0)
    try:
        octets = parse_size(sizes[0])
    except ValueError:
        raise Wrong(f'invalid zone size "{sizes[0]}"', directive.arg_positions[1]) from None
    if octets < _ZONE_OCTETS_MIN:
        raise Wrong(f'zone "{name}" is too small', directive.arg_positions[1])
    return UpstreamZone(name, octets)


def check_zones(upstreams: Sequence[Upstream], assembly: Assembly) -> None:
    """Each zone's size has to be given, once or always the same."""
    octets: dict[str, int] = {}
    for upstream in upstreams:
        zone = upstream.zone
        if zone is None:
            continue
        known = octets.get(zone.name, 0)
        if known and zone.octets and known != zone.octets:
            message = f'the size {zone.octets} of shared memory zone "{zone.name}" '
            message += f"conflicts with already declared size {known}"
            assembly.fault(message, upstream.position)
        octets[zone.name] = known or zone.octets
    for upstream in upstreams:
        if upstream.zone is not None and not octets[upstream.zone.name]:
            message = f'zero size shared memory zone "{upstream.zone.name}"'
            assembly.fault(message, upstream.position)


def _check_backup(line: Directive, method: str, assembly: Assembly) -> None:
    if method in _METHODS_WITHOUT_BACKUP and _is_backup(line):
        at = line.arg_positions[line.args.index("backup", 1)]
        assembly.fault('balancing method does not support parameter "backup"', at)


def _is_backup(line: Directive) -> bool:
    return "backup" in line.args[1:]


def read_peer(directive: Directive, assembly: Assembly) -> Peer:
    """Return one `server` of an upstream; host may be a name."""
    text, at = directive.args[0], directive.arg_positions[0]
    peer = Peer("", 0, at, name=text)
    for option, place in zip(directive.args[1:], directive.arg_positions[1:], strict=True):
        try:
            peer = _with_option(peer, option)
        except _OptionRefused as refused:
            raise Wrong(str(refused), place) from None
        except ValueError:
            raise Wrong(f'invalid parameter "{option}"', place) from None
    if peer.service and not peer.resolve:
        raise Wrong(f'service upstream "{text}" requires "resolve" parameter', at)
    try:
        address = parse_address(text, _DEFAULT_PORT)
    except ValueError as error:
        raise Wrong(f'{error} in upstream "{text}"', at) from None
    is_literal = address.unix is not None or is_address(address.host.strip("[]"))
    if peer.service and address.port_text:
        raise Wrong(f'service upstream "{text}" may not have port', at)
    if peer.service and is_literal:
        raise Wrong(f'service upstream "{text}" requires domain name', at)
    return replace(
        peer,
        host=address.host,
        port=address.port,
        unix=address.unix,
        resolve=peer.resolve and not is_literal,
    )


class _OptionRefused(Exception):
    """A parameter that nginx refuses in words of its own."""


def _with_option(peer: Peer, option: str) -> Peer:
    """Return peer with one parameter set; raises ValueError where nginx finds it invalid."""
    name, equals, value = option.partition("=")
    match name, bool(equals):
        case "weight", True if parse_number(value) > 0:
            return replace(peer, weight=parse_number(value))
        case "max_conns", True:
            return replace(peer, max_conns=parse_number(value))
        case "max_fails", True:
            return replace(peer, max_fails=parse_number(value))
        case "fail_timeout", True:
            return replace(peer, fail_timeout_s=parse_time(value, least_is_seconds=True))
        case "route" | "service", True if not value:
            raise _OptionRefused(f"{name} is empty")
        case "route", True:
            if len(value) > _ROUTE_OCTETS_MAX:
                raise _OptionRefused(f"route is longer than {_ROUTE_OCTETS_MAX}")
            return replace(peer, route=value)
        case "service", True:
            return replace(peer, service=value)
        case "backup", False:
            return replace(peer, backup=True)
        case "down", False:
            return replace(peer, down=True, drain=False)
        case "drain", False:
            return replace(peer, drain=True, down=False)
        case "resolve", False:
            return replace(peer, resolve=True)
    raise ValueError(option)


def _read_keepalive(scope: Scope, assembly: Assembly) -> Keepalive | None:
    """Return what is kept idle: 32 connections by default since nginx 1.29.7, none before."""
    directive = scope.own_one("keepalive")
    if directive is not None and assembly.read(_check_keepalive, directive) is None:
        return None
    args = scope.args("keepalive")
    if args is None or parse_number(args[0]) == 0:
        return None
    return Keepalive(
        parse_number(args[0]),
        requests=scope.number("keepalive_requests"),
        time_s=scope.time_s("keepalive_time"),
        timeout_s=scope.time_s("keepalive_timeout"),
        is_local=args[1:] == ("local",),
    )


def _check_keepalive(directive: Directive, assembly: Assembly) -> bool:
    """Refuse what is no count, and what is not "local" behind it."""
    count, *options = directive.args
    try:
        is_zero = parse_number(count) == 0
    except ValueError:
        message = f'invalid value "{count}" in "keepalive" directive'
        raise Wrong(message, directive.arg_positions[0]) from None
    if is_zero and assembly.version < (1, 29, 7):
        message = f'invalid value "{count}" in "keepalive" directive'
        raise Wrong(message, directive.arg_positions[0])
    if options and options[0] != "local":
        raise Wrong(f'invalid parameter "{options[0]}"', directive.arg_positions[1])
    return True

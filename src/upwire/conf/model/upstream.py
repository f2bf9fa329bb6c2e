"""`upstream`: a named group of peers, and how one of them is chosen."""

from __future__ import annotations

from dataclasses import replace

from upwire.conf.directives import Context
from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.types import Keepalive, Peer, Upstream
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_address, parse_number, parse_time

_DEFAULT_PORT = 80
_METHODS = ("hash", "ip_hash", "least_conn", "least_time", "random")
_METHODS_WITHOUT_BACKUP = ("hash", "ip_hash", "random")


def declare_upstreams(http: Scope, assembly: Assembly) -> None:
    """Note the names of all upstream blocks, before anything refers to them."""
    for directive in http.own("upstream"):
        name = directive.args[0].lower()
        if name in assembly.upstreams:
            message = f'duplicate upstream "{directive.args[0]}"'
            assembly.fault(message, directive.arg_positions[0])
        else:
            assembly.upstreams[name] = directive


def read_upstream(directive: Directive, assembly: Assembly) -> Upstream:
    """Return one group; its peers' names are not resolved."""
    block = directive.block or ()
    scope = Scope(block, assembly.version, context=Context.UPSTREAM)
    balance = "round_robin"
    peers: list[Peer] = []
    for line in block:
        if line.name in _METHODS:
            if balance != "round_robin":
                assembly.warn("load balancing method redefined", line.position)
            balance = line.name
        elif line.name == "server":
            _check_backup(line, balance, assembly)
            peers += filter(None, [assembly.read(read_peer, line)])
    if not scope.own("server"):
        assembly.missing("no servers are inside upstream", directive.end)
    keepalive = _read_keepalive(scope, assembly)
    return Upstream(directive.args[0], tuple(peers), directive.position, keepalive, balance)


def _check_backup(line: Directive, balance: str, assembly: Assembly) -> None:
    if balance in _METHODS_WITHOUT_BACKUP and "backup" in line.args[1:]:
        at = line.arg_positions[line.args.index("backup", 1)]
        assembly.fault('balancing method does not support parameter "backup"', at)


def read_peer(directive: Directive, assembly: Assembly) -> Peer:
    """Return one `server` of an upstream; host may be a name."""
    text, at = directive.args[0], directive.arg_positions[0]
    peer = Peer("", 0, at)
    for option, place in zip(directive.args[1:], directive.arg_positions[1:], strict=True):
        try:
            peer = _with_option(peer, option)
        except ValueError:
            raise Wrong(f'invalid parameter "{option}"', place) from None
    try:
        address = parse_address(text, _DEFAULT_PORT)
    except ValueError as error:
        raise Wrong(f'{error} in upstream "{text}"', at) from None
    return replace(peer, host=address.host, port=address.port, unix=address.unix)


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
        case "route" | "service", True if value:
            return peer
        case "backup", False:
            return replace(peer, backup=True)
        case "down" | "drain", False:
            return replace(peer, down=True)
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

"""`resolver`: name servers and options, of a location or of an upstream."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.types import Resolver
from upwire.conf.syntax import Directive, Position
from upwire.conf.values import parse_address, parse_time

_DNS_PORT = 53


def effective_resolver(scope: Scope, assembly: Assembly) -> Resolver | None:
    """Return the `resolver` that holds at one level, None where there is none."""
    directive = scope.one("resolver")
    return assembly.read(read_resolver, directive) if directive is not None else None


def read_resolver(directive: Directive, assembly: Assembly) -> Resolver:
    """Return the name servers and options of one `resolver`."""
    servers: list[tuple[str, int]] = []
    valid_s: float | None = None
    families = {"ipv4": True, "ipv6": True}
    for text, at in zip(directive.args, directive.arg_positions, strict=True):
        name, equals, value = text.partition("=")
        if equals and name == "valid":
            valid_s = _read_valid(text, at)
        elif equals and name in families:
            if value not in ("on", "off"):
                raise Wrong(f"invalid parameter: {text}", at)
            families[name] = value == "on"
        else:
            servers.append(_read_name_server(text, at))
    if not any(families.values()):
        raise Wrong('"ipv4" and "ipv6" cannot both be "off"', directive.position)
    if not servers:
        raise Wrong("no name servers defined", directive.position)
    place = directive.position
    return Resolver(tuple(servers), valid_s, families["ipv4"], families["ipv6"], place)


def _read_valid(text: str, at: Position) -> float:
    try:
        return parse_time(text.removeprefix("valid="), least_is_seconds=True)
    except ValueError:
        raise Wrong(f"invalid parameter: {text}", at) from None


def _read_name_server(text: str, at: Position) -> tuple[str, int]:
    try:
        address = parse_address(text, _DNS_PORT)
    except ValueError as error:
        raise Wrong(f'{error} in resolver "{text}"', at) from None
    return address.host, address.port

"""Whom a level lets in: `allow`, `deny`, `auth_basic` and `set_real_ip_from`."""

from __future__ import annotations

import re

from upwire.conf.cidr import Cidr, parse_cidr
from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.types import AccessRule, AuthBasic, RealIp
from upwire.conf.model.types.access import TrustedHost
from upwire.conf.syntax import Directive

_HOST = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z_-][A-Za-z0-9_.-]*")  # digits alone are an address


def effective_access(scope: Scope, assembly: Assembly) -> tuple[AccessRule, ...]:
    """Return the rules of the innermost level that has any, in their order."""
    lines = scope.effective("allow", "deny")
    return assembly.read_all(read_access_rule, lines)


def read_access_rule(directive: Directive, assembly: Assembly) -> AccessRule:
    """Return one rule."""
    is_allowed = directive.name == "allow"
    if directive.args[0] == "all":
        return AccessRule(is_allowed, None)
    try:
        return AccessRule(is_allowed, _read_cidr(directive, assembly))
    except ValueError:
        message = f'invalid parameter "{directive.args[0]}"'
        raise Wrong(message, directive.arg_positions[0]) from None


def effective_auth_basic(scope: Scope, assembly: Assembly) -> AuthBasic | None:
    """Return what the level asks for; nothing without a realm or without a file."""
    realm, user_file = scope.one("auth_basic"), scope.one("auth_basic_user_file")
    if realm is None or user_file is None:
        return None
    return AuthBasic(assembly.template(realm.args[0]), assembly.template(user_file.args[0]))


def effective_real_ip(scope: Scope, assembly: Assembly) -> RealIp | None:
    """Return whose word is taken for a client's address; None for nobody's."""
    lines = scope.effective("set_real_ip_from")
    if not lines:
        return None
    trusted = assembly.read_all(read_trusted, lines)
    return RealIp(
        tuple(one for one in trusted if isinstance(one, Cidr)),
        tuple(one for one in trusted if isinstance(one, TrustedHost)),
        scope.text("real_ip_header"),
        scope.flag("real_ip_recursive"),
    )


def read_trusted(directive: Directive, assembly: Assembly) -> Cidr | TrustedHost:
    """Return one block of trusted addresses, or what can only be a host."""
    try:
        return _read_cidr(directive, assembly)
    except ValueError:
        name, position = directive.args[0], directive.arg_positions[0]
        if _HOST.fullmatch(name):
            return TrustedHost(name, position)
        raise Wrong(f'host not found in set_real_ip_from "{name}"', position) from None


def _read_cidr(directive: Directive, assembly: Assembly) -> Cidr:
    cidr, has_low_bits = parse_cidr(directive.args[0])
    if has_low_bits:
        message = f"low address bits of {directive.args[0]} are meaningless"
        assembly.warn(message, directive.position)
    return cidr

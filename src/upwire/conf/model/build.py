"""build(): a tree of directives to a Config, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from upwire.conf.directives import Context, Version
from upwire.conf.model import (
    access,
    coding,
    headers,
    limits,
    logs,
    resolver,
    rewrite,
    settings,
    ssl,
)
from upwire.conf.model.assembly import Assembly, Scope
from upwire.conf.model.charset import read_charset_maps
from upwire.conf.model.geo import read_geo
from upwire.conf.model.limits import declare_zones
from upwire.conf.model.listen import check_addresses
from upwire.conf.model.main import read_main
from upwire.conf.model.maps import read_map
from upwire.conf.model.names import check_variables
from upwire.conf.model.proxy_rewrites import check_rewrites
from upwire.conf.model.server import read_server
from upwire.conf.model.split_clients import read_split_clients
from upwire.conf.model.types import Config, Main
from upwire.conf.model.upstream import check_zones, declare_upstreams, read_upstream
from upwire.conf.syntax import Directive, Faults, Tree
from upwire.conf.validate import Validator
from upwire.errors import ConfigError

NGINX_VERSION: Version = (1, 31, 5)

# What is read for each directive wherever it stands, so that a wrong one is noted even where an
# inner level hides it.
_READERS: dict[str, Callable[[Directive, Assembly], object]] = {
    "log_format": logs.read_log_format,
    "access_log": logs.read_access_log,
    "error_log": logs.read_error_log,
    "root": settings.check_root,
    "alias": settings.check_root,
    "index": settings.check_index,
    "types": settings.check_types,
    "keepalive_timeout": settings.read_keepalive_timeout,
    "error_page": settings.read_error_page,
    "add_header": headers.read_add_header,
    "add_trailer": headers.read_add_header,
    "expires": headers.read_expires,
    "return": rewrite.read_return,
    "rewrite": rewrite.read_rewrite,
    "ssl_session_cache": ssl.read_session_cache,
    "ssl_certificate_cache": ssl.check_certificate_cache,
    "proxy_ssl_certificate_cache": ssl.check_certificate_cache,
    "resolver": resolver.read_resolver,
    "allow": access.read_access_rule,
    "deny": access.read_access_rule,
    "set_real_ip_from": access.read_trusted,
    "limit_req": limits.read_limit_req,
    "limit_conn": limits.read_limit_conn,
    "sub_filter": coding.read_pair,
    "gzip_disable": coding.read_gzip_disable,
}


def build(tree: Tree, *, version: Version = NGINX_VERSION) -> Config:
    """Check and merge a tree as nginx of a version does.

    Raises ConfigError with all faults in file order, those of the text included. A directive that
    is newer than version is taken all the same: version chooses defaults.
    """
    faults = Faults()
    faults.extend(tree.faults)
    is_cut = bool(tree.faults.problems())
    validator = Validator(faults)
    directives = validator.check(tree.directives)
    assembly = Assembly(version, faults, is_partial=validator.is_partial or is_cut)
    top = Scope(directives, version, context=Context.MAIN)
    main = read_main(top, assembly)
    http = top.own_one("http")
    config = _build_http(http, main, assembly) if http is not None else _without_http(main, version)
    problems = faults.problems()
    if any(problem.severity == "emerg" for problem in problems):
        raise ConfigError(problems)
    accepted = sorted(validator.accepted.values(), key=lambda found: found.position.order)
    unguarded = validator.unguarded.problems()
    return replace(config, accepted=tuple(accepted), unguarded=unguarded, warnings=problems)


def _without_http(main: Main, version: Version) -> Config:
    return Config(main, (), {}, {}, {}, version)


def _build_http(http: Directive, main: Main, assembly: Assembly) -> Config:
    """Read an http block: first the names that others refer to, then what refers to them."""
    scope = Scope(http.block or (), assembly.version)
    check_variables(http, assembly)
    declare_upstreams(scope, assembly)
    read_charset_maps(scope, assembly)
    declare_zones(scope, assembly)
    _read_everywhere(http, assembly)
    check_rewrites(scope, assembly)
    servers = tuple(read_server(directive, scope, assembly) for directive in scope.own("server"))
    check_addresses(servers, assembly)
    upstreams = [read_upstream(found, scope, assembly) for found in assembly.upstreams.values()]
    check_zones(upstreams, assembly)
    limits.check_zone_names((found.zone.name for found in upstreams if found.zone), assembly)
    maps = [read_map(found, assembly) for found in scope.own("map")]
    geos = [read_geo(found, assembly) for found in scope.own("geo")]
    splits = [read_split_clients(found, assembly) for found in scope.own("split_clients")]
    return Config(
        main=main,
        servers=servers,
        upstreams={upstream.name: upstream for upstream in upstreams},
        maps={found.variable: found for found in maps},
        geos={found.variable: found for found in geos},
        splits={found.variable: found for found in splits},
        log_formats={name: found for name, (found, _) in assembly.log_formats.items()},
        version=assembly.version,
        set_variables=frozenset(assembly.set_variables),
        recodings=assembly.recodings,
    )


def _read_everywhere(block: Directive, assembly: Assembly) -> None:
    """Read what stands in a block and the blocks inside it, in file order."""
    limits.check_repeats(block, assembly)
    coding.check_pairs(block, assembly)
    for directive in block.block or ():
        reader = _READERS.get(directive.name)
        if reader is not None:
            assembly.read(reader, directive)
        if directive.name not in ("types", "map", "geo", "split_clients", "charset_map"):
            _read_everywhere(directive, assembly)

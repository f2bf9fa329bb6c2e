"""`server`: its addresses, names and locations, and what holds before one is chosen."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope
from upwire.conf.model.listen import default_listen, read_listen, read_names
from upwire.conf.model.locations import read_locations
from upwire.conf.model.proxy_rewrites import Place
from upwire.conf.model.rewrite import read_instructions
from upwire.conf.model.settings import read_settings
from upwire.conf.model.ssl import read_ssl
from upwire.conf.model.types import Buffers, MatchKind, NameKind, Server, ServerName
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_number, parse_size

_NAMELESS = (ServerName(NameKind.EXACT, ""),)
_SERVER_LEVEL = Place(MatchKind.PREFIX)


def read_server(directive: Directive, http: Scope, assembly: Assembly) -> Server:
    """Return one server, merged with the http level."""
    scope = http.inner(directive.block or ())
    addresses = assembly.read_all(read_listen, scope.own("listen"))
    listens = tuple(listen for line in addresses for listen in line)
    names = assembly.read_all(read_names, scope.own("server_name"))
    count, size = (scope.args("large_client_header_buffers") or ())[:2]
    settings = read_settings(scope, _SERVER_LEVEL, assembly)
    return Server(
        listens=listens if scope.own("listen") else (default_listen(directive),),
        names=tuple(name for line in names for name in line) or _NAMELESS,
        locations=read_locations(scope, settings, assembly),
        settings=settings,
        rewrite=read_instructions(scope, None, assembly),
        position=directive.position,
        client_header_timeout_s=scope.time_s("client_header_timeout"),
        client_header_buffer_octets=scope.octets("client_header_buffer_size"),
        large_client_header_buffers=Buffers(parse_number(count), parse_size(size)),
        ignore_invalid_headers=scope.flag("ignore_invalid_headers"),
        underscores_in_headers=scope.flag("underscores_in_headers"),
        merge_slashes=scope.flag("merge_slashes"),
        max_headers=scope.number("max_headers"),
        ssl=read_ssl(scope, directive.position, assembly),
    )

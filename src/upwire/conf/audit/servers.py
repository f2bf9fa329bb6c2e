"""Faults of server blocks: which of them answers. F34."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Level, Site, octets_of, show
from upwire.conf.syntax import Directive

_ANY_ADDRESS = "*:80"


def check_names(site: Site) -> Iterator[Finding]:
    """F34: two servers of one port have the same name, and the second never answers to it."""
    taken: dict[tuple[str, str], Directive] = {}
    for line in site.http:
        if line.name != "server" or line.block is None:
            continue
        server = Level(line, line.block)
        if server.has_gap:
            continue
        own = {(address, name): at for address in _addresses(server) for name, at in _names(server)}
        for key, at in own.items():
            first = taken.setdefault(key, at)
            if first is at or not _passes_on(site, line):
                continue
            yield Finding(
                "F34",
                Severity.WARNING,
                at.position,
                octets_of(at),
                f"another server of {key[0]} has the name {key[1]}",
                "nginx warns `conflicting server name` and never comes here for it: a handshake "
                "gets what the other server answers",
                (f"{show(first.position)}: `server_name {' '.join(first.args)}`",),
                "one server block for the name, or another name",
            )
            break


def check_http3_only(site: Site) -> Iterator[Finding]:
    """F81: a server that speaks HTTP/3 alone, where no handshake of RFC 6455 can be."""
    told: set[Level] = set()
    for place in site.websockets:
        server = place.server
        listens = server.own("listen") if server is not None else ()
        if server is None or server in told or server.has_gap or not listens:
            continue
        if not all("quic" in line.args for line in listens):
            continue
        told.add(server)
        yield Finding(
            "F81",
            Severity.ERROR,
            listens[0].position,
            octets_of(listens[0]),
            "this server speaks HTTP/3 only",
            "nginx has no WebSocket over HTTP/3 (RFC 9220), and nobody answers over TCP",
            (),
            f"listen {listens[0].args[0]} ssl;  # beside it",
        )


def _passes_on(site: Site, server: Directive) -> bool:
    return any(
        place.server is not None and place.server.directive is server for place in site.websockets
    )


def _addresses(server: Level) -> list[str]:
    listens = [line.args[0] for line in server.own("listen") if line.args]
    return [f"*:{one}" if one.isdigit() else one for one in listens] or [_ANY_ADDRESS]


def _names(server: Level) -> Iterator[tuple[str, Directive]]:
    for line in server.own("server_name"):
        for name in line.args:
            if name != "_" and "__" not in name:
                yield name.lower(), line


RULES = (check_names, check_http3_only)

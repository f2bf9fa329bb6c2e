"""Faults of the stream module in front of WebSockets, and of the PROXY protocol. F54, F83."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Kind, Level, Site, octets_of, show
from upwire.conf.syntax import Directive

_ERROR, _NOTE = Severity.ERROR, Severity.NOTE
_HERE = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "*")


def check_proxy_protocol(site: Site) -> Iterator[Finding]:
    """F54: one side speaks the PROXY protocol, and the other does not."""
    if site.kind is not Kind.WHOLE:
        return
    listens = _listens(site)
    for server in _stream_servers(site):
        passed = next(iter(server.own("proxy_pass")), None)
        port = _local_port(passed)
        if passed is None or port not in listens or server.has_gap:
            continue
        flag = next(iter(server.own("proxy_protocol")), None)
        sends = flag is not None and flag.args == ("on",)
        takes = any("proxy_protocol" in line.args for line in listens[port])
        if sends == takes:
            continue
        at = flag if flag is not None and sends else passed
        yield Finding(
            "F54",
            _ERROR,
            at.position,
            octets_of(at),
            "the PROXY protocol is sent to a port that does not take it"
            if sends
            else "the port takes the PROXY protocol, which is not sent here",
            "every client gets 400, or fails in TLS"
            if sends
            else "every connection ends: `broken header while reading PROXY protocol`",
            tuple(map(_told, listens[port])),
            "proxy_protocol at that listen, or off here" if sends else "proxy_protocol on;",
        )


def check_pass_through(site: Site) -> Iterator[Finding]:
    """F83: what stream passes on to a server of this file has lost its client's address."""
    if site.kind is not Kind.WHOLE or not site.websockets:
        return
    listens = _listens(site)
    for server in _stream_servers(site):
        passed = next(iter(server.own("proxy_pass")), None)
        port = _local_port(passed)
        if passed is None or port not in listens or server.has_gap or server.own("proxy_protocol"):
            continue
        if any("proxy_protocol" in line.args for line in listens[port]):
            continue  # F54
        yield Finding(
            "F83",
            _NOTE,
            passed.position,
            octets_of(passed),
            "the server behind this sees every client as 127.0.0.1",
            "limits and logs by address hold for all clients together",
            tuple(map(_told, listens[port])),
            "proxy_protocol on; here, proxy_protocol at that listen, and real_ip_header "
            "proxy_protocol with set_real_ip_from 127.0.0.1",
        )


def _stream_servers(site: Site) -> list[Level]:
    blocks = [line.block or () for line in site.top if line.name == "stream"]
    outer = [Level(None, block) for block in blocks]
    return [
        Level(line, line.block or ())
        for level in outer
        if not level.own("proxy_protocol")
        for line in level.own("server")
    ]


def _listens(site: Site) -> dict[str, list[Directive]]:
    """Return the lines `listen` of http's servers by port."""
    found: dict[str, list[Directive]] = {}
    for server in site.http:
        for line in server.block or () if server.name == "server" else ():
            if line.name == "listen" and line.args:
                found.setdefault(line.args[0].rpartition(":")[2], []).append(line)
    return found


def _told(listen: Directive) -> str:
    return f"{show(listen.position)}: `listen {' '.join(listen.args)}`"


def _local_port(passed: Directive | None) -> str | None:
    if passed is None or not passed.args:
        return None
    host, _, port = passed.args[0].rpartition(":")
    return port if host in _HERE and port.isdigit() else None


RULES = (check_proxy_protocol, check_pass_through)

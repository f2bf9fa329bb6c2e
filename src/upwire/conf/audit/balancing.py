"""Faults of sharing tunnels out among servers. F72 to F77."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Kind, Place, Site, octets_of, show
from upwire.conf.syntax import Directive

_WARNING, _NOTE = Severity.WARNING, Severity.NOTE
_PORTS = 28232  # net.ipv4.ip_local_port_range by default, for one address of an upstream
_POLLING = ("socket.io", "sockjs", "signalr", "primus", "engine.io")
_STICKY = ("ip_hash", "hash", "sticky")
_METHODS = (*_STICKY, "least_conn", "least_time", "random")
_CLIENT_ADDRESSES = ("$http_cf_connecting_ip", "$http_true_client_ip", "$proxy_protocol_addr")


def check_ports(site: Site) -> Iterator[Finding]:
    """F72: more tunnels than ports to the one address behind."""
    if site.kind is not Kind.WHOLE:
        return
    events = next((line for line in site.top if line.name == "events"), None)
    at = next((line for line in _lines(events) if line.name == "worker_connections"), None)
    if at is None or not at.args[:1] or not at.args[0].isdigit() or int(at.args[0]) <= 2 * _PORTS:
        return
    for place in site.websockets:
        peers = _peers(site, place)
        is_local = any("unix:" in word for line in peers for word in line.args)
        if len(peers) != 1 or is_local or place.one("proxy_bind") is not None:
            continue
        yield Finding(
            "F72",
            _NOTE,
            peers[0].position,
            octets_of(peers[0]),
            f"one address takes about {_PORTS} tunnels from this machine",
            "the next client gets 502, and the log `connect() failed (99: Cannot assign requested "
            "address)`",
            (f"{show(at.position)}: a worker has room for {int(at.args[0]) // 2} tunnels",),
            "more addresses or ports of the backend, a UNIX-domain socket, or a wider "
            "net.ipv4.ip_local_port_range",
        )


def check_affinity(site: Site) -> Iterator[Finding]:
    """F73: polling transports need the same server each time."""
    for place, upstream in _shared(site):
        if not _polls(place) or _has(upstream, *_STICKY):
            continue
        yield Finding(
            "F73",
            _WARNING,
            upstream.position,
            octets_of(upstream),
            f"requests of one client go to {len(_servers(upstream))} servers in turn",
            "polling, with which these libraries begin, gets 400 `Session ID unknown`",
            (f"{show(place.block.lines[0].position)}: {place.block.label}",),
            "ip_hash; or hash $cookie_io consistent; or `transports: ['websocket']` in the client",
        )


def check_hashed_address(site: Site) -> Iterator[Finding]:
    """F74: ip_hash, where all clients come from the addresses of a CDN."""
    for place, upstream in _shared(site):
        method = next((line for line in _lines(upstream) if line.name == "ip_hash"), None)
        fields = place.effective("proxy_set_header")
        told = [
            line for line in fields if any(word.lower() in _CLIENT_ADDRESSES for word in line.args)
        ]
        if method is None or not told or not place.lacks("real_ip_header"):
            continue
        yield Finding(
            "F74",
            _WARNING,
            method.position,
            octets_of(method),
            "ip_hash takes the address of the proxy in front, not the client's",
            "nearly all clients go to the same server",
            (f"{show(told[0].position)}: the client's address comes in {told[0].args[1]}",),
            f"hash {told[0].args[1]} consistent; or real_ip_header with set_real_ip_from",
        )


def check_failures(site: Site) -> Iterator[Finding]:
    """F75: one failure moves sessions to another server."""
    for place, upstream in _shared(site):
        at = next((line for line in _lines(upstream) if line.name in _STICKY), None)
        servers = _servers(upstream)
        if at is None or not _polls(place):
            continue
        if any(word.startswith("max_fails=") for line in servers for word in line.args):
            continue
        yield Finding(
            "F75",
            _NOTE,
            at.position,
            octets_of(at),
            "after one failed try a server gets nothing for 10 s",
            "its sessions move to another server, which answers 400 to what it does not know",
            ("max_fails is 1 and fail_timeout 10 s by default",),
            "max_fails=3, or max_fails=0, behind each server",
        )


def check_skew(site: Site) -> Iterator[Finding]:
    """F76: tunnels stay where they are, and a new server gets few of them."""
    for place, upstream in _shared(site):
        if _has(upstream, *_METHODS) or _polls(place) or place.is_root:
            continue
        yield Finding(
            "F76",
            _NOTE,
            upstream.position,
            octets_of(upstream),
            "tunnels are given out in turn, however many a server has",
            "a server that comes later, or comes back, stays nearly idle for hours",
            (),
            "least_conn;",
        )


def check_keepalive_order(site: Site) -> Iterator[Finding]:
    """F77: keepalive stands before the method of balancing."""
    used = [site.upstream_of(place) for place in site.websockets]
    for upstream in site.http:
        if upstream.name != "upstream" or not site.may_be_before((1, 29, 7)):
            continue
        lines = list(_lines(upstream))
        kept = next((line for line in lines if line.name == "keepalive"), None)
        method = next((line for line in lines if line.name in _METHODS), None)
        if kept is None or method is None or lines.index(kept) > lines.index(method):
            continue
        yield Finding(
            "F77",
            _WARNING if upstream in used else _NOTE,
            method.position,
            octets_of(method),
            f"{method.name} comes after keepalive",
            "nginx warns `load balancing method redefined`, and idle connections are not kept",
            (f"{show(kept.position)}: `keepalive {' '.join(kept.args)}`",),
            f"{method.name} first, keepalive behind it",
        )


def _shared(site: Site) -> Iterator[tuple[Place, Directive]]:
    """Yield the places of WebSockets that several servers answer, with their upstream."""
    for place in site.websockets:
        upstream = site.upstream_of(place)
        if upstream is None or len(_servers(upstream)) < 2 or _has(upstream, "include"):
            continue
        yield place, upstream


def _peers(site: Site, place: Place) -> list[Directive]:
    """Return what names a place's backends: the servers of its upstream, or its proxy_pass."""
    upstream = site.upstream_of(place)
    if upstream is not None:
        return _servers(upstream)
    return [line for line in [place.passes] if line is not None and "$" not in line.args[0]]


def _servers(upstream: Directive) -> list[Directive]:
    idle = ("backup", "down")
    lines = [line for line in _lines(upstream) if line.name == "server"]
    return [line for line in lines if not any(word in line.args for word in idle)]


def _lines(block: Directive | None) -> tuple[Directive, ...]:
    return (block.block if block is not None else None) or ()


def _has(upstream: Directive, *names: str) -> bool:
    return any(line.name in names for line in _lines(upstream))


def _polls(place: Place) -> bool:
    return any(word in place.pattern for word in _POLLING)


RULES = (
    check_ports,
    check_affinity,
    check_hashed_address,
    check_failures,
    check_skew,
    check_keepalive_order,
)

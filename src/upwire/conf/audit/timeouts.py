"""Faults of time: what ends an idle tunnel, and what a reload does to it. F20 to F28."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.edits import insert_lines, replace_argument
from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Evidence, Kind, Place, Site, octets_of, show
from upwire.conf.audit.words import is_masked, names_pinging_library
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_time

_WARNING, _NOTE = Severity.WARNING, Severity.NOTE
_SHORT_S = 75.0  # a client that pings once a minute is cut by less
_CONNECT_MAX_S = 75.0  # the system gives up then
_LONG_S = 3600.0
_CLOUDFLARE_S = 100.0
_DRAIN_S = 300.0
_READ = "proxy_read_timeout"


def check_idle(site: Site) -> Iterator[Finding]:
    """F20, F23: an idle tunnel is cut after a minute, whatever else was raised."""
    for place in site.websockets:
        if place.time_s(_READ) >= _SHORT_S or not place.shows(_READ):
            continue
        at = place.one(_READ) or place.passes
        assert at is not None
        if at.name == _READ and any(map(is_masked, at.args)):
            continue
        raised = _raised(place)
        if raised is not None and place.one(_READ) is None:
            yield _wrong_knob(raised, at)
            continue
        is_set = at.name == _READ
        seconds = f"{place.time_s(_READ):g} s"
        line = f"{_READ} 1h;"
        edits = replace_argument(at, 0, "1h") if is_set else insert_lines(at, [line])
        yield Finding(
            "F20",
            _NOTE if names_pinging_library(place.pattern) or site.is_spare(place) else _WARNING,
            at.position,
            octets_of(at),
            f"a tunnel in which nothing moves for {seconds} is cut",
            "the client sees 1006 and no Close frame; nothing is logged below level info",
            () if is_set else (f"{_READ} is not set, and 60 s is its default",),
            f"{line}\nand let the application ping at less than half of the shortest time on the "
            "way: 25 s",
            edits,
        )


def _raised(place: Place) -> Directive | None:
    """Return a timeout that was raised and does nothing for an idle tunnel."""
    for name in ("proxy_send_timeout", "send_timeout"):
        found = place.one(name)
        if found is not None and place.time_s(name) > _SHORT_S:
            return found
    return None


def _wrong_knob(at: Directive, passed: Directive) -> Finding:
    line = f"{_READ} {at.args[0]};"
    return Finding(
        "F23",
        _WARNING,
        at.position,
        octets_of(at),
        f"{at.name} does nothing for an idle tunnel",
        f"it is cut after 60 s, which is {_READ}; the client sees 1006",
        (f"{show(passed.position)}: {_READ} is not set for this proxy_pass",),
        line,
        insert_lines(at, [line]),
    )


def check_connect(site: Site) -> Iterator[Finding]:
    """F23: a connect timeout that cannot be so long."""
    seen: set[int] = set()
    for place in site.websockets:
        at = place.one("proxy_connect_timeout")
        if at is None or id(at) in seen or place.time_s(at.name) <= _CONNECT_MAX_S:
            continue
        seen.add(id(at))
        yield Finding(
            "F23",
            _NOTE,
            at.position,
            octets_of(at),
            "connecting never takes so long: the system gives up after about 75 s",
            "a backend that is gone keeps clients waiting for that time",
            (),
            "proxy_connect_timeout 5s;",
        )


def check_jump(site: Site) -> Iterator[Finding]:
    """F22: proxy_* stands where no proxy_pass answers, and holds nowhere."""
    for place in site.places:
        jump = _jump(place)
        own = next(iter(place.block.own(_READ)), None)
        if jump is None or own is None or place.passes is not None:
            continue
        target = _named(site, place, jump.args[-1])
        if target is None or target.passes is None or target.evidence is not Evidence.SET:
            continue
        if target.time_s(_READ) >= place.time_s(_READ):
            continue
        yield Finding(
            "F22",
            _WARNING,
            own.position,
            octets_of(own),
            f"this {_READ} does not hold for what {jump.args[-1]} answers",
            f"the tunnel is cut after {target.time_s(_READ):g} s",
            (f"{show(jump.position)}: `{jump.name}` goes on in {jump.args[-1]}",),
            f"move it into `location {jump.args[-1]}`",
            insert_lines(target.passes, [f"{_READ} {own.args[0]};"])
            if target.one(_READ) is None
            else (),
        )


def _jump(place: Place) -> Directive | None:
    """Return what leads from a place to a named location."""
    for line in place.block.lines:
        if line.name in ("try_files", "error_page") and line.args[-1:] and line.args[-1][:1] == "@":
            return line
    return None


def _named(site: Site, place: Place, name: str) -> Place | None:
    for other in site.beside(place):
        directive = other.block.directive
        if directive is not None and directive.name == "location" and directive.args == (name,):
            return other
    return None


def check_days(site: Site) -> Iterator[Finding]:
    """F24: dead peers stay for hours."""
    seen: set[int] = set()
    for place in site.websockets:
        at = place.one(_READ)
        if at is None or id(at) in seen or place.time_s(_READ) <= _LONG_S:
            continue
        seen.add(id(at))
        server = place.server
        listens = server.own("listen") if server is not None else []
        probes = any(arg.startswith("so_keepalive") for line in listens for arg in line.args)
        if probes and place.flag("proxy_socket_keepalive"):
            continue
        yield Finding(
            "F24",
            _NOTE,
            at.position,
            octets_of(at),
            f"a peer that vanished may go unnoticed for {place.time_s(_READ):g} s",
            "half-dead tunnels pile up: descriptors leak, and presence is wrong",
            ("neither so_keepalive nor proxy_socket_keepalive asks whether a peer is there",),
            "pings from the application and a timeout of minutes, or so_keepalive=5m at listen and "
            "proxy_socket_keepalive on",
        )


def check_hop_in_front(site: Site) -> Iterator[Finding]:
    """F28: a hop in front gives up sooner than nginx, and the file says which it is."""
    for place in site.websockets:
        sign = _sign_of_cloudflare(place)
        at = place.one(_READ)
        if sign is None or at is None or place.time_s(_READ) <= _CLOUDFLARE_S:
            continue
        yield Finding(
            "F28",
            _NOTE,
            at.position,
            octets_of(at),
            f"Cloudflare cuts a silent tunnel after {_CLOUDFLARE_S:g} s, whatever stands here",
            "the client sees 1006 after that time without traffic",
            (f"{show(sign.position)}: clients come through Cloudflare",),
            "let the application ping every 25 s",
        )


def _sign_of_cloudflare(place: Place) -> Directive | None:
    """Return the line that takes the client's address from a field of Cloudflare's."""
    lines = [*place.effective("real_ip_header"), *place.effective("proxy_set_header")]
    words = ("cf-connecting-ip", "$http_cf_connecting_ip")
    return next((line for line in lines if line.args and line.args[-1].lower() in words), None)


def check_reload(site: Site) -> Iterator[Finding]:
    """F25, F26: what a reload does to open tunnels."""
    if site.kind is not Kind.WHOLE or not site.websockets:
        return
    at = next((line for line in site.top if line.name == "worker_shutdown_timeout"), None)
    if at is None:
        first = site.top[0]
        yield Finding(
            "F25",
            _NOTE,
            first.position,
            len(first.name),
            "worker_shutdown_timeout is not set",
            "after each reload the old workers stay until the last of their tunnels ends: days, "
            "and their memory with them",
            (),
            "worker_shutdown_timeout 1h;",
        )
        return
    try:
        window_s = parse_time(at.args[0])
    except (ValueError, IndexError):
        return
    if window_s < _DRAIN_S:
        yield Finding(
            "F26",
            _WARNING,
            at.position,
            octets_of(at),
            f"{at.args[0]} after each reload all tunnels are cut at once",
            "every client reconnects in the same second, pings or not",
            (),
            "worker_shutdown_timeout 1h;  # and let clients reconnect with jitter",
        )


RULES = (check_idle, check_connect, check_jump, check_days, check_hop_in_front, check_reload)

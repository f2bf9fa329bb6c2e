"""Faults that come with load: descriptors, caches, buffers and logs. F70 to F88."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upwire.conf.audit.edits import insert_lines
from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Kind, Place, Site, authority, octets_of
from upwire.conf.audit.words import is_masked

_WARNING, _SECURITY, _NOTE = Severity.WARNING, Severity.SECURITY, Severity.NOTE
_FEW_CONNECTIONS = 1024
_TUNNEL_CONNECTIONS = 2
_FOR_PAGES = (
    *("strict-transport-security", "x-frame-options", "x-content-type-options", "cache-control"),
    *("x-xss-protection", "referrer-policy", "content-security-policy", "permissions-policy"),
    *("x-robots-tag", "alt-svc"),
)
"""Fields that say something of pages only."""
_EVENTS = re.compile(r"/(?:sse|eventsource|event-stream|server-sent-events)(?:/|$)")
_NO_EFFECT = ("client_max_body_size", "limit_rate", "sub_filter")


def check_connections(site: Site) -> Iterator[Finding]:
    """F70, F71: how many tunnels there is room for."""
    if site.kind is not Kind.WHOLE or not site.websockets:
        return
    events = next((line for line in site.top if line.name == "events"), None)
    if events is None:
        return
    at = next((line for line in events.block or () if line.name == "worker_connections"), events)
    count = int(at.args[0]) if at.args and at.args[0].isdigit() else 512
    if count <= _FEW_CONNECTIONS:
        yield Finding(
            "F70",
            _NOTE,
            at.position,
            len(at.name),
            f"a worker has room for {count // _TUNNEL_CONNECTIONS} tunnels",
            "a tunnel takes two connections; the next client gets 500, and the log an alert",
            () if at is not events else ("worker_connections is not set, and 512 its default",),
            "worker_connections 8192; and worker_rlimit_nofile 20000; at the top",
        )
        return
    limit = next((line for line in site.top if line.name == "worker_rlimit_nofile"), None)
    files = int(limit.args[0]) if limit and limit.args and limit.args[0].isdigit() else 0
    if files < count:
        place = limit or at
        yield Finding(
            "F71",
            _NOTE,
            place.position,
            octets_of(place),
            "a worker may run out of descriptors before it runs out of connections",
            "`Too many open files`: accepting stops",
            ("the system's limit holds, 1024 as a rule",) if limit is None else (),
            f"worker_rlimit_nofile {2 * count};",
        )


def check_cache(site: Site) -> Iterator[Finding]:
    """F78, F79: a cache in front of handshakes."""
    for place in site.websockets:
        at = place.one("proxy_cache")
        if at is None or at.args[:1] == ("off",):
            continue
        own = place.passes
        assert own is not None
        if place.flag("proxy_cache_lock") and not _bypasses(place):
            lock = place.one("proxy_cache_lock")
            assert lock is not None
            yield Finding(
                "F79",
                _WARNING,
                lock.position,
                octets_of(lock),
                "handshakes to one path wait for each other",
                "they open half a second apart, up to proxy_cache_lock_timeout: a reconnect of "
                "all clients crawls",
                (),
                "proxy_cache off;",
                insert_lines(own, ["proxy_cache off;"]),
            )
        elif not _bypasses(place):
            yield Finding(
                "F78",
                _WARNING if _caches_refusals(place) else _NOTE,
                at.position,
                octets_of(at),
                "answers to handshakes may come from the cache",
                "a cached 400 or 404 answers right handshakes until it expires",
                (),
                "proxy_cache off; here, or proxy_cache_bypass and proxy_no_cache $http_upgrade",
                insert_lines(own, ["proxy_cache off;"]),
            )


def _caches_refusals(place: Place) -> bool:
    kept = {word for line in place.effective("proxy_cache_valid") for word in line.args[:-1]}
    return bool(kept & {"any", "400", "404", "426"})


def _bypasses(place: Place) -> bool:
    lines = [*place.effective("proxy_cache_bypass"), *place.effective("proxy_no_cache")]
    return any("upgrade" in word for line in lines for word in line.args)


def check_upstream_tls(site: Site) -> Iterator[Finding]:
    """F80: the scheme does not fit the port, or the name is not sent."""
    for place in site.websockets:
        at = place.passes
        assert at is not None
        url = at.args[0]
        host, _, port = authority(url).rpartition(":")
        if url.startswith("http://") and port == "443" and host:
            yield Finding(
                "F80",
                _WARNING,
                at.position,
                octets_of(at),
                "the port is that of TLS, the scheme is not",
                "the backend answers 400 `plain HTTP request was sent to HTTPS port`",
                (),
                f"proxy_pass https{url.removeprefix('http')};",
            )
        if _is_other_site(url) and place.lacks("proxy_ssl_server_name"):
            yield Finding(
                "F80",
                _WARNING,
                at.position,
                octets_of(at),
                "the backend is not told which name is asked for (SNI)",
                "one with several names fails the TLS handshake or answers for another: 502, 404",
                ("proxy_ssl_server_name is off by default",),
                "proxy_ssl_server_name on;",
                insert_lines(at, ["proxy_ssl_server_name on;"]),
            )


def _is_other_site(url: str) -> bool:
    """Whether a URL's host is a name of DNS, over TLS."""
    host = authority(url).partition(":")[0]
    is_name = "." in host.rstrip("0123456789.") and "$" not in host and not is_masked(host)
    return url.startswith("https://") and is_name


def check_added_fields(site: Site) -> Iterator[Finding]:
    """F84: add_header does not reach a 101."""
    for place in site.websockets:
        for at in place.block.own("add_header"):
            if len(at.args) != 2 or place.is_root or at.args[0].lower() in _FOR_PAGES:
                continue
            yield Finding(
                "F84",
                _NOTE,
                at.position,
                octets_of(at),
                f"{at.args[0]} is missing in the 101",
                "without `always` nginx adds it to some statuses only, and 101 is none of them",
                (),
                f"add_header {' '.join(at.args)} always;",
            )


def check_no_effect(site: Site) -> Iterator[Finding]:
    """F85: limits that do not hold inside a tunnel."""
    for place in site.websockets:
        for name in _NO_EFFECT:
            for at in place.block.own(name):
                if place.is_root:
                    continue
                yield Finding(
                    "F85",
                    _NOTE,
                    at.position,
                    octets_of(at),
                    f"{name} does nothing inside a tunnel",
                    "messages of any size pass, as fast as they come",
                    (),
                    "a limit in the application",
                )


def check_logs(site: Site) -> Iterator[Finding]:
    """F86: nothing tells of a tunnel."""
    for place in site.websockets:
        at = next(iter(place.block.own("access_log")), None)
        if at is None or at.args != ("off",):
            continue
        yield Finding(
            "F86",
            _NOTE,
            at.position,
            octets_of(at),
            "no tunnel is logged",
            "neither that it was, nor how long, nor why it ended",
            (),
            "an access_log with $request_time, $upstream_bytes_received and $upstream_bytes_sent",
        )


def check_buffered_events(site: Site) -> Iterator[Finding]:
    """F88: events that stand in for a WebSocket are held back."""
    for place in site.proxied:
        if not _EVENTS.search(place.pattern) or not place.lacks("proxy_buffering"):
            continue
        own = place.passes
        assert own is not None
        yield Finding(
            "F88",
            _NOTE,
            own.position,
            octets_of(own),
            "events are passed on when a buffer is full",
            "where the application does not send X-Accel-Buffering: no, they arrive in bursts",
            ("proxy_buffering is on by default",),
            "proxy_buffering off;",
            insert_lines(own, ["proxy_buffering off;"]),
        )


RULES = (
    check_connections,
    check_cache,
    check_upstream_tls,
    check_added_fields,
    check_no_effect,
    check_logs,
    check_buffered_events,
)

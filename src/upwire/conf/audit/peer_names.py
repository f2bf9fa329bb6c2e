"""Faults of the names that upstream servers are known by: F40, F41, F82."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upwire.conf.audit.edits import replace_argument
from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Kind, Site, authority, octets_of
from upwire.conf.audit.words import is_masked
from upwire.conf.syntax import Directive
from upwire.conf.values import is_ipv4

_NOTE = Severity.NOTE
_TEMPORARY_SOCKET = re.compile(r"(?:https?://)?unix:/(?:var/)?tmp/")
_FIXED_NAMES = (".svc", ".cluster.local")  # of Kubernetes' services, whose addresses stay


def check_names(site: Site) -> Iterator[Finding]:
    """F40, F41, F82: a name is resolved once, or to two addresses, or is a socket of /tmp."""
    seen: set[int] = set()
    for place in site.websockets:
        upstream = site.upstream_of(place)
        peers = [line for line in (upstream.block or () if upstream else ()) if _is_peer(line)]
        for at in peers or [line for line in [place.passes] if line is not None]:
            if id(at) in seen:
                continue
            seen.add(id(at))
            host = _host(at)
            if _TEMPORARY_SOCKET.match(at.args[0]):
                yield _temporary_socket(at)
            elif host == "localhost":
                yield _localhost(at)
            elif _is_name(host) and "resolve" not in at.args and _is_shown(site, at, host):
                yield _resolved_once(at, host)


def names_at_start(site: Site) -> Iterator[tuple[Directive, str]]:
    """Yield the names that nginx resolves when it starts, each with a line that has it."""
    upstreams = [line for line in site.http if line.name == "upstream"]
    peers = [line for block in upstreams for line in block.block or () if _is_peer(line)]
    passes = [place.passes for place in site.proxied if site.upstream_of(place) is None]
    for at in (*peers, *passes):
        if at is None or "resolve" in at.args:
            continue
        host = _host(at)
        if host and not is_literal(host) and "$" not in host and not is_masked(host):
            yield at, host


def is_literal(host: str) -> bool:
    """Whether a host is an address or a socket, and no name."""
    return host.startswith(("[", "unix:")) or is_ipv4(host.partition(":")[0])


def _is_peer(line: Directive) -> bool:
    return line.name == "server" and bool(line.args)


def _host(at: Directive) -> str:
    text = authority(at.args[0]) if at.name == "proxy_pass" else at.args[0]
    return "" if text.startswith("unix:") else text.rpartition(":")[0] or text


def _is_name(host: str) -> bool:
    is_fixed = is_literal(host) or host.endswith(_FIXED_NAMES)
    return bool(host) and not is_fixed and "$" not in host and not is_masked(host)


def _is_shown(site: Site, at: Directive, host: str) -> bool:
    """Whether host is a host; in a part of a file it may be an upstream that stands elsewhere."""
    return at.name == "server" or site.kind is Kind.WHOLE or "." in host


def _localhost(at: Directive) -> Finding:
    return Finding(
        "F41",
        _NOTE,
        at.position,
        octets_of(at),
        "localhost is two addresses, ::1 and 127.0.0.1",
        "a backend that listens on one of them refuses every other connection first",
        (),
        at.args[0].replace("localhost", "127.0.0.1"),
        replace_argument(at, 0, at.args[0].replace("localhost", "127.0.0.1")),
    )


def _temporary_socket(at: Directive) -> Finding:
    return Finding(
        "F82",
        _NOTE,
        at.position,
        octets_of(at),
        "the socket is in a folder for temporary files",
        "where systemd gives nginx or the application a /tmp of its own (PrivateTmp) nginx does "
        "not find it: 502, `2: No such file or directory` in the log",
        (),
        "a folder below /run, which both may enter",
    )


def _resolved_once(at: Directive, host: str) -> Finding:
    return Finding(
        "F40",
        _NOTE,
        at.position,
        octets_of(at),
        f"{host} is resolved when nginx starts, and never again",
        "a container that comes back with another address gets 502 or 504, or somebody else does",
        (),
        "in upstream: zone NAME 64k; server HOST:PORT resolve; with a resolver (nginx 1.27.3)",
    )


RULES = (check_names,)

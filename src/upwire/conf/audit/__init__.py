"""The checker's rules: which faults of docs/faults.md a configuration has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from upwire.conf.audit import (
    access,
    balancing,
    handshake,
    identity,
    load,
    peer_names,
    routing,
    sent_fields,
    servers,
    stream,
    timeouts,
)
from upwire.conf.audit.finding import Edit, Finding, Severity
from upwire.conf.audit.site import Evidence, Kind, Place, Site, make_site
from upwire.conf.syntax import Position

Rule = Callable[[Site], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    *handshake.RULES,
    *sent_fields.RULES,
    *timeouts.RULES,
    *routing.RULES,
    *peer_names.RULES,
    *servers.RULES,
    *identity.RULES,
    *access.RULES,
    *stream.RULES,
    *balancing.RULES,
    *load.RULES,
)
"""Every rule; each docstring begins with the numbers of the faults that it finds."""


def audit(site: Site) -> Iterator[Finding]:
    """Yield what every rule finds, a fault of one line once however many places it holds for."""
    seen: set[tuple[str, Position, str]] = set()
    for rule in RULES:
        for finding in rule(site):
            key = finding.fault, finding.at, finding.message
            if key not in seen:
                seen.add(key)
                yield finding


__all__ = [
    "RULES",
    "Edit",
    "Evidence",
    "Finding",
    "Kind",
    "Place",
    "Rule",
    "Severity",
    "Site",
    "audit",
    "make_site",
]

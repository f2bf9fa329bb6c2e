"""The memory in which `limit_req` and `limit_conn` count, over all workers."""

from __future__ import annotations

from collections.abc import Iterable

from upwire.conf.model import LocationSettings
from upwire.proxy.zone import Zone, Zones

REQ_RECORD = "=qq"
"""What a key exceeds its rate by, in thousandths of a request, and when that was, in ms."""

CONN_RECORD = "=q"
"""How many requests are counted under a key."""


def open_limit_zones(settings: Iterable[LocationSettings], zones: Zones) -> dict[str, Zone]:
    """Return the zones that the limits of some levels count in, by name."""
    opened: dict[str, Zone] = {}
    for level in settings:
        for of_requests in level.limit_req.limits:
            zone = of_requests.zone
            opened[zone.name] = zones.open(zone.name, zone.octets, REQ_RECORD)
        for of_connections in level.limit_conn.limits:
            place = of_connections.zone
            opened[place.name] = zones.open(place.name, place.octets, CONN_RECORD)
    return opened

"""ngx_http_limit_conn_module: how many requests at once. A tunnel counts as long as it is open."""

from __future__ import annotations

from functools import partial

from upwire.conf.model import ConnLimit, LimitConnZone
from upwire.proxy.request import Handled, Request
from upwire.proxy.zone import Zone

_KEY_OCTETS_MAX = 255


async def check(request: Request) -> Handled:
    """Count the request until it ends, or refuse it."""
    main, settings = request.main, request.settings.limit_conn
    if not settings.limits or "limit_conn_status" in request.variables:
        return None
    counted: list[partial[None]] = []
    for limit in settings.limits:
        key = _key(request, limit.zone)
        if not key:
            continue
        request.variables["limit_conn_status"] = "PASSED"
        table = request.cycle.limit_zones[limit.zone.name]
        if _enter(table, key, limit):
            counted.append(partial(_leave, table, key))
            continue
        note = ", dry run," if settings.dry_run else ""
        message = f'limiting connections{note} by zone "{limit.zone.name}"'
        request.log(settings.log_level, message)
        for leave in counted:
            leave()
        dry = "_DRY_RUN" if settings.dry_run else ""
        request.variables["limit_conn_status"] = f"REJECTED{dry}"
        return None if settings.dry_run else settings.status
    main.at_end += counted
    return None


def _key(request: Request, zone: LimitConnZone) -> bytes:
    """Return what a zone counts the request under; nothing where it does not count it."""
    key = zone.key.render(request.lookup).encode("latin-1", "replace")
    if len(key) > _KEY_OCTETS_MAX:
        request.log("error", f'the value of the "{zone.key.text}" key is more than 255 bytes')
        return b""
    return key


def _enter(table: Zone, key: bytes, limit: ConnLimit) -> bool:
    """Count one more under a key; False where that is too many, or the zone is full."""
    with table.locked():
        kept = table.get(key)
        count = int(kept[0]) if kept is not None else 0
        return count < limit.connections and table.put(key, count + 1, evicts=False)


def _leave(table: Zone, key: bytes) -> None:
    with table.locked():
        kept = table.get(key)
        count = int(kept[0]) if kept is not None else 0
        if count > 1:
            table.put(key, count - 1)
        else:
            table.delete(key)

"""ngx_http_limit_req_module: how many requests a second, as a leaky bucket that zones keep."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from upwire.conf.model import LimitReqZone, ReqLimit
from upwire.proxy.request import Handled, Request

_KEY_OCTETS_MAX = 65535
_STEP_BACK_MS = 60000  # a clock that went back further starts anew
_ONE = 1000  # a request, in thousandths
_MILDER = {"error": "warn", "warn": "notice", "notice": "info", "info": "info"}


@dataclass(slots=True)
class _Measured:
    limit: ReqLimit
    key: bytes
    excess: int


async def check(request: Request) -> Handled:
    """Count the request, let it wait until its turn, or refuse it."""
    settings = request.settings.limit_req
    if not settings.limits or "limit_req_status" in request.variables:
        return None
    dry = "_DRY_RUN" if settings.dry_run else ""
    note = ", dry run" if settings.dry_run else ""
    measured: list[_Measured] = []
    for limit in settings.limits:
        key = _key(request, limit.zone)
        if not key:
            continue
        excess = _excess(request, limit.zone, key)
        if excess > limit.burst:
            message = f"limiting requests{note}, excess: {_decimal(excess)} by zone "
            request.log(settings.log_level, f'{message}"{limit.zone.name}"')
            request.variables["limit_req_status"] = f"REJECTED{dry}"
            return None if settings.dry_run else settings.status
        measured.append(_Measured(limit, key, excess))
    if not measured:
        return None
    for one in reversed(measured):
        one.excess = _excess(request, one.limit.zone, one.key, is_counted=True)
    worst = max(reversed(measured), key=_delay_ms)
    delay_ms = _delay_ms(worst)
    if not delay_ms:
        request.variables["limit_req_status"] = "PASSED"
        return None
    message = f"delaying request{note}, excess: {_decimal(worst.excess)}, by zone "
    request.log(_MILDER[settings.log_level], f'{message}"{worst.limit.zone.name}"')
    request.variables["limit_req_status"] = f"DELAYED{dry}"
    if not settings.dry_run:
        await asyncio.sleep(delay_ms / 1000)
    return None


def _key(request: Request, zone: LimitReqZone) -> bytes:
    """Return what a zone counts the request under; nothing where it does not count it."""
    key = zone.key.render(request.lookup).encode("latin-1", "replace")
    if len(key) > _KEY_OCTETS_MAX:
        request.log("error", f'the value of the "{zone.key.text}" key is more than 65535 bytes')
        return b""
    return key


def _excess(request: Request, zone: LimitReqZone, key: bytes, *, is_counted: bool = False) -> int:
    """Return what a key exceeds the rate by with this request, which is_counted makes last."""
    table = request.cycle.limit_zones[zone.name]
    now_ms = int(time.monotonic() * 1000)
    with table.locked():
        kept = table.get(key)
        if kept is None:
            excess, last_ms = 0, now_ms
        else:
            before, last_ms = int(kept[0]), int(kept[1])
            passed_ms = now_ms - last_ms
            if passed_ms < 0:
                passed_ms = 1 if passed_ms < -_STEP_BACK_MS else 0
            excess = max(before - zone.rate * passed_ms // 1000 + _ONE, 0)
            last_ms = now_ms if passed_ms else last_ms
        if is_counted:
            table.put(key, excess, last_ms)
    return excess


def _delay_ms(one: _Measured) -> int:
    free = one.limit.delay
    if free is None or one.excess <= free:
        return 0
    return (one.excess - free) * 1000 // one.limit.zone.rate


def _decimal(thousandths: int) -> str:
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"

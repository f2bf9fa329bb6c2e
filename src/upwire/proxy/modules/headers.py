"""ngx_http_headers_filter_module: `add_header`, `add_trailer` and `expires`."""

from __future__ import annotations

import time

from upwire.conf.model import AddHeader, Expires, ExpiresTemplate, Since, parse_expires
from upwire.proxy.dates import http_date, parse_date
from upwire.proxy.headers import on_one_line
from upwire.proxy.output import Filter, OutputHead
from upwire.proxy.request import Request
from upwire.wire.fields import Headers

# `add_header` without `always`, and `expires`, are for these alone.
_SAFE = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
_REPLACED = frozenset({"last-modified", "etag"})  # one line of each; "" removes it
_EPOCH = "Thu, 01 Jan 1970 00:00:01 GMT"
_MAX = "Thu, 31 Dec 2037 23:55:55 GMT"
_MAX_AGE_S = 10 * 365 * 24 * 60 * 60
_DAY_S = 24 * 60 * 60


def join(request: Request, head: OutputHead) -> Filter | None:
    """Add what `expires`, `add_header` and `add_trailer` say to a response of a main request."""
    if request.main is not request:
        return None
    is_safe = head.status in _SAFE
    expires = request.settings.expires
    if expires is not None and is_safe:
        _set_expires(request, head, expires)
    for header in request.settings.add_headers:
        if header.always or is_safe:
            _add(request, head, header)
    trailers = [one for one in request.settings.add_trailers if one.always or is_safe]
    if not trailers:
        return None
    head.expects_trailers = True
    return _Trailers(request, trailers)


class _Trailers(Filter):
    """Puts fields behind a content, with the values that they have then."""

    __slots__ = ("_added", "_request")

    def __init__(self, request: Request, added: list[AddHeader]) -> None:
        super().__init__()
        self._request = request
        self._added = added

    async def finish(self) -> None:
        """Give the trailers to the end of the response."""
        self._request.reply.trailers = trailers = Headers()
        for trailer in self._added:
            value = on_one_line(trailer.value.render(self._request.lookup))
            if value:
                trailers.add(trailer.name, value)
        await self.next.finish()


def _add(request: Request, head: OutputHead, header: AddHeader) -> None:
    value = on_one_line(header.value.render(request.lookup))
    if header.name.lower() not in _REPLACED:
        if value:
            head.fields.add(header.name, value)
    elif value:
        head.fields.set(header.name, value)
    else:
        head.fields.remove(header.name)


def _set_expires(request: Request, head: OutputHead, directive: Expires | ExpiresTemplate) -> None:
    """Say when the response expires; a text of variables that is no time says nothing."""
    expires: Expires | None
    if isinstance(directive, ExpiresTemplate):
        text = directive.text.render(request.lookup)
        try:
            expires = parse_expires(text, is_from_modified=directive.is_from_modified)
        except ValueError:
            return
        if expires is None:
            return
    else:
        expires = directive
    date, control = _moment(expires, head, request.cycle.wall_clock())
    head.fields.set("Expires", date)
    head.fields.set("Cache-Control", control)


def _moment(expires: Expires, head: OutputHead, now_s: float) -> tuple[str, str]:
    """Return the values of Expires and Cache-Control."""
    if expires.since is Since.EPOCH:
        return _EPOCH, "no-cache"
    if expires.since is Since.MAX:
        return _MAX, f"max-age={_MAX_AGE_S}"
    now = int(now_s)
    modified_s = parse_date(head.fields.get("Last-Modified") or "")
    if expires.time_s == 0 and expires.since is not Since.MIDNIGHT:
        end = now
    elif expires.since is Since.MIDNIGHT:
        end = _next_time(now, expires.time_s)
    elif expires.since is Since.MODIFIED and modified_s is not None:
        end = modified_s + expires.time_s
    else:
        end = now + expires.time_s
    age_s = end - now
    is_past = age_s < 0 or expires.time_s < 0
    return http_date(end), "no-cache" if is_past else f"max-age={age_s}"


def _next_time(now: int, time_of_day_s: int) -> int:
    """Return the next moment at which the local clock shows that time of day."""
    local = time.localtime(now)
    midnight = now - (local.tm_hour * 60 + local.tm_min) * 60 - local.tm_sec
    today = midnight + time_of_day_s
    return today if today > now else today + _DAY_S

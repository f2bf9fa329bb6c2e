"""The output filters, in the order in which nginx's header filters run.

What a filter's module exports is `join(request, head)`: it may change the head, and returns what
shall see the content, or None. It raises Refused for a response that another shall replace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from upwire.conf.model import LocationSettings
from upwire.proxy.modules import (
    addition,
    charset,
    gzip,
    headers,
    not_modified,
    ssi,
    sub_filter,
    write_filter,
)
from upwire.proxy.modules import range as byte_range
from upwire.proxy.output import Filter, OutputHead, Sink
from upwire.proxy.request import Request

Join = Callable[[Request, OutputHead], Filter | None]
Joins = tuple[tuple[Join, ...], tuple[Join, ...]]
"""The filters of the content, and those of the wire."""

CONTENT_FILTERS: tuple[Join, ...] = (
    not_modified.join,
    headers.join,
    gzip.join_gunzip,
    sub_filter.join,
    addition.join,
    charset.join,
    ssi.join,
)
"""These see the responses of each request, of subrequests too."""

WIRE_FILTERS: tuple[Join, ...] = (gzip.join, byte_range.join, write_filter.join)
"""These see what goes to the client: the main request's response, with those inside it."""

_NEEDS: dict[Join, Callable[[LocationSettings], object]] = {
    headers.join: lambda settings: (
        settings.expires or settings.add_headers or settings.add_trailers
    ),
    gzip.join_gunzip: lambda settings: settings.gzip.gunzip,
    sub_filter.join: lambda settings: settings.sub_filter.pairs,
    addition.join: lambda settings: settings.addition.before or settings.addition.after,
    ssi.join: lambda settings: settings.ssi.is_on,
    gzip.join: lambda settings: settings.gzip.is_on,
}
"""Where these settings are not, a filter has nothing to do, and no response meets it."""


def join_filters(request: Request, head: OutputHead, sink: Sink) -> None:
    """Let every filter see the head, and make the chain to sink of those that want the content."""
    joins = request.cycle.joins.get(id(request.settings)) or _remember_joins(request)
    content = _join(joins[0], request, head)
    if request.main is request:
        sink = _link(_join(joins[1], request, head), sink)
    request.inclusions = sink
    request.output = _link(content, sink)


def needed_joins(settings: LocationSettings) -> Joins:
    """Return the filters that have something to do where these settings hold."""
    return _needed(CONTENT_FILTERS, settings), _needed(WIRE_FILTERS, settings)


def _remember_joins(request: Request) -> Joins:
    joins = request.cycle.joins[id(request.settings)] = needed_joins(request.settings)
    return joins


def _join(joins: Sequence[Join], request: Request, head: OutputHead) -> list[Filter]:
    return [one for join in joins if (one := join(request, head)) is not None]


def _needed(joins: Sequence[Join], settings: LocationSettings) -> tuple[Join, ...]:
    return tuple(join for join in joins if join not in _NEEDS or _NEEDS[join](settings))


def _link(filters: Sequence[Filter], sink: Sink) -> Sink:
    for one in reversed(filters):
        one.next = sink
        sink = one
    return sink

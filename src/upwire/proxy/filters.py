"""The output filters, in the order in which nginx's header filters run.

What a filter's module exports is `join(request, head)`: it may change the head, and returns what
shall see the content, or None. It raises Refused for a response that another shall replace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def join_filters(request: Request, head: OutputHead, sink: Sink) -> None:
    """Let every filter see the head, and make the chain to sink of those that want the content."""
    joined = [one for join in CONTENT_FILTERS if (one := join(request, head)) is not None]
    if request.main is request:
        wire = [one for join in WIRE_FILTERS if (one := join(request, head)) is not None]
        sink = _link(wire, sink) if wire else sink
    request.inclusions = sink
    request.output = _link(joined, sink)


def _link(filters: Sequence[Filter], sink: Sink) -> Sink:
    for one in reversed(filters):
        one.next = sink
        sink = one
    return sink

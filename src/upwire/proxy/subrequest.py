"""Subrequests: another path of the same server is asked on behalf of a request.

A subrequest shares its parent's head and variables, and has a path, a location and an answer of its
own. It runs in a task of its own, so that nesting is bounded by the count of levels alone.
"""

from __future__ import annotations

import asyncio

from upwire.proxy.output import NOWHERE, Sink
from upwire.proxy.request import Request

LEVELS_MAX = 50
"""nginx's limit on subrequests inside one another."""

SUBREQUESTS_MAX = 64535
"""How many one request may have in all: a page that includes itself twice has 2**50 otherwise."""


class SubrequestCycle(Exception):
    """Subrequests are nested deeper than LEVELS_MAX, or more than SUBREQUESTS_MAX."""


async def fetch(
    parent: Request,
    uri: str,
    args: str = "",
    *,
    sink: Sink = NOWHERE,
    is_head_only: bool = False,
    wants_pages: bool = True,
) -> Request:
    """Ask for a path, and return the subrequest when it is answered; its content goes to sink.

    is_head_only: no content is wanted. wants_pages: a status without a content gets its page, or
    what `error_page` says. Raises SubrequestCycle where there are too many.
    """
    task = _start(parent, uri, args, sink, is_head_only=is_head_only, wants_pages=wants_pages)
    return await task


async def include(parent: Request, uri: str, args: str = "") -> Request:
    """Ask for a path whose content becomes a part of parent's, behind parent's own filters."""
    subrequest = await fetch(parent, uri, args, sink=_Inclusion(parent.inclusions))
    if subrequest.reply.is_cut:
        parent.main.reply.is_cut = True
    return subrequest


def fetch_beside(parent: Request, uri: str, args: str = "") -> None:
    """Ask for a path and drop its content, while parent goes on; parent's end waits for it.

    The subrequest gets parent's content too, where that was read.
    """
    task = _start(parent, uri, args, NOWHERE, is_clone=True)
    parent.main.beside.append(task)


def _start(
    parent: Request,
    uri: str,
    args: str,
    sink: Sink,
    *,
    is_head_only: bool = False,
    wants_pages: bool = True,
    is_clone: bool = False,
) -> asyncio.Task[Request]:
    parent.main.subrequests += 1
    if parent.level >= LEVELS_MAX or parent.main.subrequests > SUBREQUESTS_MAX:
        parent.log("error", f'subrequests cycle while processing "{uri}"')
        raise SubrequestCycle(uri)
    subrequest = parent.make_subrequest(uri, args)
    subrequest.sink = sink
    subrequest.is_head_only = is_head_only
    subrequest.wants_pages = wants_pages
    if is_clone:
        subrequest.method, subrequest.body = parent.method, parent.body
    return asyncio.create_task(_run(subrequest))


async def _run(subrequest: Request) -> Request:
    assert subrequest.runner is not None
    await subrequest.runner(subrequest)
    return subrequest


class _Inclusion(Sink):
    """Passes a subrequest's content on into its parent's, which goes on behind it."""

    __slots__ = ("_into",)

    def __init__(self, into: Sink) -> None:
        self._into = into

    async def send(self, octets: bytes) -> None:
        """Pass on octets."""
        await self._into.send(octets)

    async def flush(self) -> None:
        """Pass on what is held back."""
        await self._into.flush()

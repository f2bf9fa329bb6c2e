"""ngx_http_mirror_module: requests that go to other locations too, whose answers are dropped."""

from __future__ import annotations

from upwire.proxy.body import BodyRefused, read_body
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.subrequest import fetch_beside


async def copy(request: Request) -> Handled:
    """Begin a subrequest for each `mirror`, which runs beside the request itself."""
    settings = request.settings.mirror
    if not settings.uris or request.main is not request:
        return None
    if settings.passes_body:
        try:
            await read_body(request, is_whole=True)
        except BodyRefused as refusal:
            if refusal.status:
                return refusal.status
            request.reply.status, request.reply.is_cut = 400, True
            return Outcome.DONE
    for uri in settings.uris:
        fetch_beside(request, uri, request.args)
    return None

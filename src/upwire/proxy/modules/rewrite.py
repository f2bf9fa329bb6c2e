"""ngx_http_rewrite_module: `return`."""

from __future__ import annotations

from upwire.conf.model import Return
from upwire.proxy.modules.static import content_type
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import respond

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def return_of_server(request: Request) -> Handled:
    """Run the server's `return`, before a location is looked for."""
    return await _run(request, request.server.settings.return_)


async def return_of_location(request: Request) -> Handled:
    """Run the location's `return`."""
    return await _run(request, request.location.settings.return_ if request.location else None)


async def _run(request: Request, directive: Return | None) -> Handled:
    if directive is None:
        return None
    text = directive.text.render(request.lookup) if directive.text is not None else ""
    if directive.status in _REDIRECTS:
        request.redirect_to = text
        return directive.status
    if directive.status >= 400 and not text:
        return directive.status
    fields = [] if directive.status == 204 else [("Content-Type", content_type(request))]
    await respond(request, directive.status, fields, text.encode("latin-1", "replace"))
    return Outcome.DONE

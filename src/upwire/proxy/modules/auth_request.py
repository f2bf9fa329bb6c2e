"""ngx_http_auth_request_module: the answer to a subrequest says whether a request may pass."""

from __future__ import annotations

from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.subrequest import SubrequestCycle, fetch

_CLOSE = 444  # nginx's own: the connection ends without a response, whoever says so


async def check(request: Request) -> Handled:
    """Let in where the subrequest is answered with 2xx, and refuse with its 401, 403 or 444."""
    settings = request.settings.auth_request
    if not settings.uri:
        return None
    try:
        asked = await fetch(request, settings.uri, is_head_only=True)
    except SubrequestCycle:
        return 500
    for name, template in settings.variables:
        request.assign(name, template.render(asked.lookup))
    status = asked.reply.status
    if 200 <= status < 300:
        return Outcome.ALLOWED
    if status == _CLOSE:
        return _CLOSE
    if status not in (401, 403):
        request.log("error", f"auth request unexpected status: {status}")
        return 500
    if status == 401:
        fields = asked.reply.fields if "WWW-Authenticate" in asked.reply.fields else None
        challenges = (fields or asked.upstream_fields).get_all("WWW-Authenticate")
        request.added_fields += [("WWW-Authenticate", value) for value in challenges]
    return status

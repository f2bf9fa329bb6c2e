"""ngx_http_access_module: `allow` and `deny`."""

from __future__ import annotations

from upwire.conf.cidr import parse_ip
from upwire.proxy.request import Handled, Outcome, Request


async def check(request: Request) -> Handled:
    """Let the first rule decide that the client's address matches."""
    rules = request.settings.access
    if not rules:
        return None
    address = parse_ip(request.client.address)
    for rule in rules:
        if rule.cidr is not None and not rule.cidr.holds(address):
            continue
        if rule.is_allowed:
            return Outcome.ALLOWED
        if request.settings.satisfy == "all":
            request.log("error", "access forbidden by rule")
        return 403
    return None

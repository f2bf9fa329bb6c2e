"""ngx_http_proxy_module: a location's requests go to the upstream that `proxy_pass` names."""

from __future__ import annotations

import re

from upwire.conf.model import ProxyPass
from upwire.proxy import failure
from upwire.proxy.body import Body, BodyRefused, read_body
from upwire.proxy.client_watch import ClientGone
from upwire.proxy.failure import TryFailed
from upwire.proxy.gateway import Destination, Gateway
from upwire.proxy.headers import upstream_target
from upwire.proxy.request import Handled, Outcome, Request

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]+\]|[^/?:]+)(?::(?P<port>\d+))?(?P<uri>[/?].*)?",
    re.IGNORECASE,
)


async def answer(request: Request) -> Handled:
    """Answer from the upstream in a location that has `proxy_pass`."""
    passed = request.settings.proxy.pass_
    if passed is None:
        return None
    body: Body | None = None
    try:
        destination = _find_destination(request, passed)
        body = await read_body(request)
        return await Gateway(request, destination, body).run()
    except TryFailed as failed:
        request.log("error", failed.message)
        return _cut(request, failed.status) if request.reply.is_started else failed.status
    except BodyRefused as refusal:
        return refusal.status or _cut(request, 400)
    except ClientGone as gone:
        request.log("info", f"{gone}, so upstream connection is closed too")
        return _cut(request, 499)
    finally:
        if body is not None:
            body.close()


def _cut(request: Request, status: int) -> Outcome:
    """End the connection without more octets; status is for the log."""
    if not request.reply.is_started:
        request.reply.status = status
    request.reply.is_cut = True
    return Outcome.DONE


def _find_destination(request: Request, passed: ProxyPass) -> Destination:
    """Return where `proxy_pass` sends the request; TryFailed where variables give no address."""
    if passed.template is not None:
        return _find_variable_destination(request, passed.template.render(request.lookup))
    location = request.location
    target = upstream_target(
        passed,
        prefix=location.pattern if location is not None else "",
        uri=request.uri,
        args=request.args,
        request_uri="" if request.is_uri_changed else request.target.request_uri,
        is_escaped=request.target.is_escaped,
    )
    hostname = passed.authority.partition(":")[0] if passed.scheme == "https" else None
    return Destination(request.cycle.upstreams_of(passed), target, hostname)


def _find_variable_destination(request: Request, url: str) -> Destination:
    match = _URL.fullmatch(url)
    if match is None:
        raise TryFailed("error", f'invalid URL prefix in "{url}"', failure.CONNECTING)
    is_tls = match["scheme"] == "https"
    host = match["host"]
    port = int(match["port"] or (443 if is_tls else 80))
    try:
        upstreams = request.cycle.upstreams_for(host, port)
    except OSError:
        raise TryFailed("error", f"{host} could not be resolved", failure.CONNECTING) from None
    request.passed_authority = match["host"] + (f":{match['port']}" if match["port"] else "")
    target = match["uri"] or request.target.request_uri
    if target.startswith("?"):
        target = "/" + target
    return Destination(upstreams, target, host if is_tls else None)

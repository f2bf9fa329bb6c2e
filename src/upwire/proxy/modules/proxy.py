"""ngx_http_proxy_module: a location's requests go to the upstream that `proxy_pass` names."""

from __future__ import annotations

import re
from dataclasses import replace

from upwire.conf.model import ProxyPass
from upwire.conf.values import is_address
from upwire.conf.variables import Template
from upwire.errors import LocalProtocolError, UpwireError
from upwire.proxy.body import Body, BodyRefused, read_body
from upwire.proxy.client_watch import ClientGone
from upwire.proxy.failure import TryFailed
from upwire.proxy.gateway import Destination, Gateway
from upwire.proxy.headers import upstream_target
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.resolver import NotResolved
from upwire.proxy.upstream import Upstreams

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]+\]|[^/?:]+)(?::(?P<port>\d+))?(?P<uri>[/?].*)?",
    re.IGNORECASE,
)
_UNIX_URL = re.compile(
    r"(?P<scheme>https?)://unix:(?P<path>[^:]+)(?::(?P<uri>/.*)?)?", re.IGNORECASE
)


class _UrlRefused(UpwireError):
    """Variables in `proxy_pass` gave no URL that can be asked."""


async def answer(request: Request) -> Handled:
    """Answer from the upstream in a location that has `proxy_pass`."""
    passed = request.settings.proxy.pass_
    if passed is None:
        return None
    try:
        if passed.template is None:
            destination = _find_destination(request, passed)
        else:
            destination = await _find_variable_destination(request, passed, passed.template)
        body = await read_body(request)
        if request.settings.proxy.set_body is not None:
            body = _make_body(request, request.settings.proxy.set_body)
        return await Gateway(request, destination, body).run()
    except _UrlRefused as refusal:
        request.log("error", str(refusal))
        return 500
    except LocalProtocolError:
        request.log("error", "variables gave no method or no URI that a request can have")
        return 500
    except TryFailed as failed:
        request.log("error", failed.message)
        return _cut(request, failed.status) if request.reply.is_started else failed.status
    except BodyRefused as refusal:
        return refusal.status or _cut(request, 400)
    except ClientGone as gone:
        request.log("info", f"{gone}, so upstream connection is closed too")
        return _cut(request, 499)


def _make_body(request: Request, template: Template) -> Body:
    """Return what `proxy_set_body` says, in the place of the client's content."""
    return Body(request, memory=template.render(request.lookup).encode("latin-1"))


def _cut(request: Request, status: int) -> Outcome:
    """End the connection without more octets; status is for the log."""
    if not request.reply.is_started:
        request.reply.status = status
    request.reply.is_cut = True
    return Outcome.DONE


def _find_destination(request: Request, passed: ProxyPass) -> Destination:
    """Return where a `proxy_pass` without variables sends the request."""
    target = _target(request, passed)
    tls_name = passed.authority if passed.scheme == "https" else None
    return Destination(request.cycle.upstreams_of(passed), target, tls_name)


def _target(request: Request, passed: ProxyPass) -> str:
    """Return the request-target; after `rewrite ... break` the new path goes as it is."""
    location = request.location
    return upstream_target(
        passed if request.is_location_valid else replace(passed, uri=None),
        prefix=location.pattern if location is not None else "",
        uri=request.uri,
        args=request.args,
        request_uri="" if request.is_uri_changed else request.target.request_uri,
        is_escaped=request.target.is_escaped,
    )


async def _find_variable_destination(
    request: Request, passed: ProxyPass, template: Template
) -> Destination:
    """Return where variables send the request; raises _UrlRefused or TryFailed for nowhere."""
    url = template.render(request.lookup)
    unix = _UNIX_URL.fullmatch(url)
    if unix is not None:
        request.passed_authority = "localhost"
        tls_name = "localhost" if unix["scheme"].lower() == "https" else None
        target = unix["uri"] or _target(request, passed)
        return Destination(request.cycle.upstreams_on(unix["path"]), target, tls_name)
    match = _URL.fullmatch(url)
    if match is None:
        raise _UrlRefused(f'invalid URL prefix in "{url}"')
    is_tls = match["scheme"].lower() == "https"
    host, digits = match["host"], match["port"]
    if digits is not None and (len(digits) > 5 or not 1 <= int(digits) <= 65535):
        raise _UrlRefused(f'invalid port in upstream "{url}"')
    port = int(digits or (443 if is_tls else 80))
    known = request.cycle.upstreams
    upstreams = known.get(f"{host}:{port}") or (known.get(host) if digits is None else None)
    if upstreams is None:
        upstreams = await _resolve(request, host, port)
    request.passed_authority = host if digits is None else f"{host}:{digits}"
    target = match["uri"] or _target(request, passed)
    if target.startswith("?"):
        target = "/" + target
    return Destination(upstreams, target, host if is_tls else None)


async def _resolve(request: Request, host: str, port: int) -> Upstreams:
    """Return the addresses of a host that variables gave; TryFailed where there are none."""
    cycle = request.cycle
    literal = host.strip("[]")
    if is_address(literal):
        return cycle.upstreams_at(f"{host}:{port}", [literal], port)
    settings = request.settings
    if settings.resolver is None:
        raise TryFailed("error", f"no resolver defined to resolve {host}", "")
    resolver = cycle.resolver(settings.resolver)
    try:
        found = await resolver.resolve(host, timeout_s=settings.resolver_timeout_s)
    except NotResolved as error:
        raise TryFailed("error", str(error), "") from error
    return cycle.upstreams_at(f"{host}:{port}", found.addresses, port)

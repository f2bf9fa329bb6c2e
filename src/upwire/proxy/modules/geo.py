"""ngx_http_geo_module: what a `geo` gives for a request."""

from __future__ import annotations

from upwire.conf.cidr import IpAddress, parse_ip
from upwire.conf.model import Geo
from upwire.proxy.forwarded import find_origin
from upwire.proxy.request import Request


def find_value(request: Request, geo: Geo) -> str:
    """Return the value for the client's address, or for the one that geo's source gives."""
    return geo.find(_address(request, geo))


def _address(request: Request, geo: Geo) -> IpAddress | None:
    """Return the address to look for; None for a unix socket, and for what is no address."""
    address = request.client.address
    if geo.source is not None:
        address = request.lookup(geo.source) or ""
    try:
        parsed = parse_ip(address)
    except ValueError:
        return None
    if not geo.proxies:
        return parsed
    values = request.head.headers.get_all("X-Forwarded-For")
    is_recursive = geo.proxy_recursive
    origin = find_origin((address, 0), values, geo.proxies, is_recursive=is_recursive)
    return parse_ip(origin[0]) if origin is not None else parsed

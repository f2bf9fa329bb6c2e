"""ngx_http_realip_module: the client's address as trusted proxies give it."""

from __future__ import annotations

from dataclasses import replace

from upwire.proxy.forwarded import find_origin
from upwire.proxy.request import Handled, Request


async def change_address(request: Request) -> Handled:
    """Take the address that a trusted client gives for its own, once for each request."""
    settings = request.settings.real_ip
    client = request.client
    if settings is None or client.connected is not None:
        return None
    proxied = client.proxied if settings.header == "proxy_protocol" else None
    values = [proxied.source] if proxied is not None else _values(request, settings.header)
    if not values:
        return None
    connected = client.address, client.port
    is_recursive = settings.recursive
    trusted = settings.trusted
    if settings.hosts:
        known = request.cycle.trusted_hosts
        trusted += tuple(cidr for host in settings.hosts for cidr in known[host.name])
    origin = find_origin(connected, values, trusted, is_recursive=is_recursive)
    if origin is not None:
        address, port = origin
        port = proxied.source_port if proxied is not None else port
        request.client = replace(client, address=address, port=port, connected=connected)
    return None


def _values(request: Request, header: str) -> list[str]:
    values: list[str] = request.head.headers.get_all(header)
    if header.lower() == "x-forwarded-for":
        return values
    return values[:1]

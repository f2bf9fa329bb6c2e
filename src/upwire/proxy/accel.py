"""What an upstream asks of the proxy by X-Accel fields, save those in `proxy_ignore_headers`."""

from __future__ import annotations

from upwire.conf.model import ProxySettings
from upwire.conf.values import parse_size
from upwire.wire.http1 import ResponseHead

_REDIRECT, _BUFFERING = "X-Accel-Redirect", "X-Accel-Buffering"
_LIMIT_RATE = "X-Accel-Limit-Rate"
# What the response to a redirect keeps of the one that asked for it, as nginx's table has it.
_KEPT = frozenset(
    {"content-type", "set-cookie", "content-disposition", "cache-control", "expires"}
    | {"accept-ranges"}
)


def redirect_of(head: ResponseHead, proxy: ProxySettings) -> str | None:
    """Return the path or the "@name" that answers instead; None where the upstream itself does."""
    return _value(_REDIRECT, head, proxy)


def kept_fields(head: ResponseHead) -> list[tuple[str, str]]:
    """Return the fields that the response to a redirect gets too."""
    return [(name, value) for name, value in head.headers.items() if name.lower() in _KEPT]


def limit_rate_of(head: ResponseHead, proxy: ProxySettings) -> int | None:
    """Return how many octets a second the client may have; None where nothing is said of that."""
    value = _value(_LIMIT_RATE, head, proxy)
    try:
        return parse_size(value) if value is not None else None
    except ValueError:
        return None


def is_buffered(head: ResponseHead, proxy: ProxySettings) -> bool:
    """Whether the response is read ahead of the client: as configured, or as the upstream says."""
    value = _value(_BUFFERING, head, proxy)
    if value is None:
        return proxy.buffering
    return {"yes": True, "no": False}.get(value.lower(), proxy.buffering)


def _value(name: str, head: ResponseHead, proxy: ProxySettings) -> str | None:
    value = head.headers.get(name)
    return None if value is None or name.lower() in proxy.ignore_headers else value

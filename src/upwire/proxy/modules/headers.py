"""ngx_http_headers_filter_module: `add_header`."""

from __future__ import annotations

from upwire.proxy.headers import on_one_line
from upwire.proxy.output import OutputHead
from upwire.proxy.request import Request

# `add_header` without `always` adds to these alone.
_ADDED_TO = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})


def join(request: Request, head: OutputHead) -> None:
    """Add what `add_header` says to a response of a main request."""
    if request.main is not request:
        return
    for header in request.settings.add_headers:
        if header.always or head.status in _ADDED_TO:
            value = on_one_line(header.value.render(request.lookup))
            if value:
                head.fields.add(header.name, value)

"""ngx_http_gzip_static_module: files that were gzipped beforehand."""

from __future__ import annotations

import os

from upwire.proxy.modules.gzip import takes_gzip
from upwire.proxy.modules.static import map_to_path, open_file, send_file
from upwire.proxy.request import Handled, Request
from upwire.wire.fields import Headers


async def answer(request: Request) -> Handled:
    """Send the file with ".gz" behind its name, where there is one and the client takes it."""
    static = request.settings.gzip.static
    if static == "off" or request.uri.endswith("/") or request.method not in ("GET", "HEAD"):
        return None
    if static == "on" and not takes_gzip(request, Headers()):
        return None
    try:
        file = open_file(map_to_path(request, request.uri) + ".gz")
    except OSError:
        return None  # the plain one is asked for next
    if file is None:
        return None
    try:
        return await send_file(request, file, coding="gzip")
    finally:
        os.close(file.descriptor)

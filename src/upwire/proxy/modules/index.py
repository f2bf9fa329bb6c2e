"""ngx_http_index_module: which file stands for a directory."""

from __future__ import annotations

import os
import stat

from upwire.proxy.modules import autoindex
from upwire.proxy.modules.static import map_to_path
from upwire.proxy.request import Handled, Request


async def answer(request: Request) -> Handled:
    """Go on with the first file of `index` that is there; 403 where it has none and no list."""
    if not request.uri.endswith("/"):
        return None
    if request.method not in ("GET", "HEAD", "POST"):
        return 405
    for template in request.settings.index:
        name = template.render(request.lookup)
        if name.startswith("/"):  # the last one, by nginx's rule: it is taken without a look
            return request.redirect_internally(name, request.args)
        if _is_there(map_to_path(request, request.uri) + name):
            return request.redirect_internally(request.uri + name, request.args)
    return _refuse(request, map_to_path(request, request.uri))


def _is_there(path: str) -> bool:
    try:
        facts = os.stat(path.encode("latin-1"))
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False
    return stat.S_ISREG(facts.st_mode)


def _refuse(request: Request, directory: str) -> Handled:
    if not os.path.isdir(directory.encode("latin-1")):
        if request.settings.log_not_found:
            request.log("error", f'"{directory}" is not found (2: {os.strerror(2)})')
        return 404
    if autoindex.lists(request):
        return None
    request.log("error", f'directory index of "{directory}" is forbidden')
    return 403

"""ngx_http_try_files_module: the first of several files that is there, or something else."""

from __future__ import annotations

import errno
import os
import stat

from upwire.proxy.modules.static import map_to_path
from upwire.proxy.request import Handled, Request

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


async def choose(request: Request) -> Handled:
    """Take the first path of `try_files` that is there for the request's own, or its fallback."""
    directive = request.settings.try_files
    if directive is None:
        return None
    for template, is_directory in directive.paths:
        name = template.render(request.lookup)
        if _is_there(request, name, is_directory=is_directory):
            _take(request, name, is_directory=is_directory)
            return None
    if directive.status is not None:
        return directive.status
    fallback = directive.fallback.render(request.lookup)
    if fallback.startswith("@"):
        return request.enter_named(fallback[1:])
    path, _, args = fallback.partition("?")
    return request.redirect_internally(path, args)


def _is_there(request: Request, name: str, *, is_directory: bool) -> bool:
    path = map_to_path(request, "", name=_behind_alias(request, name))
    try:
        facts = os.stat(path.encode("latin-1"))
    except ValueError:  # a NUL in the name
        return False
    except OSError as error:
        if error.errno not in _NOT_THERE:
            request.log("crit", f'stat() "{path}" failed ({error.errno}: {error.strerror})')
        return False
    return stat.S_ISDIR(facts.st_mode) is is_directory


def _behind_alias(request: Request, name: str) -> str:
    """Return a name without the part that the location's alias stands for, where it has it."""
    octets = request.settings.alias_octets if request.settings.alias is not None else None
    if octets is not None and name[:octets] == request.uri[:octets]:
        return name[octets:]
    return name


def _take(request: Request, name: str, *, is_directory: bool) -> None:
    """Go on with the path that was found."""
    settings = request.settings
    if settings.alias is None:
        request.uri = name
    elif settings.alias_octets is not None:
        request.uri = request.uri[: settings.alias_octets] + _behind_alias(request, name)
    elif not is_directory:
        request.uri = name
        request.adds_uri_to_alias = True

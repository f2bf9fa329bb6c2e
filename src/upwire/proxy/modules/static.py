"""ngx_http_static_module: files."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from upwire.proxy.dates import http_date
from upwire.proxy.output import OutputHead
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import finish, send, send_head
from upwire.proxy.target import escape_path

PIECE_OCTETS = 64 * 1024
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True)
class File:
    """An open regular file to be sent."""

    descriptor: int
    size_octets: int
    modified_s: float

    @property
    def etag(self) -> str:
        """The entity tag that nginx makes of time and size, in hexadecimal."""
        return f'"{int(self.modified_s):x}-{self.size_octets:x}"'


def map_to_path(request: Request, uri: str, *, name: str | None = None) -> str:
    """Return the file name for a path: below `root`, or `alias` in place of what matched.

    name: what stands behind root or alias, in place of what is left of the path.
    """
    settings = request.settings
    if settings.alias is not None:
        directory = settings.alias.render(request.lookup)
        octets = settings.alias_octets
        if octets is None:
            octets = 0 if request.adds_uri_to_alias else len(uri)
        rest = uri[octets:] if name is None else name
        return os.path.join(request.cycle.prefix, directory) + rest
    root = settings.root.render(request.lookup) if settings.root is not None else "html"
    return os.path.join(request.cycle.prefix, root) + (uri if name is None else name)


def content_type(request: Request) -> str:
    """Return the media type that `types` has for the path's extension, or `default_type`.

    An upstream that redirected to the path by X-Accel-Redirect has the first word.
    """
    for field, value in request.added_fields:
        if field.lower() == "content-type":
            return value
    name = request.uri.rpartition("/")[2]
    _, dot, extension = name.rpartition(".")
    default = request.settings.default_type
    return request.settings.types.get(extension.lower(), default) if dot else default


async def answer(request: Request) -> Handled:
    """Send the file that the path names; a directory without its slash is redirected."""
    if request.method not in ("GET", "HEAD", "POST"):
        return 405
    if request.uri.endswith("/"):
        return None
    path = map_to_path(request, request.uri)
    try:
        opened = open_file(path)
    except OSError as error:
        return refuse_file(request, path, error)
    if opened is None:
        request.redirect_to = escape_path(request.uri) + "/"
        if request.args:
            request.redirect_to += f"?{request.args}"
        return 301
    try:
        if request.method == "POST":
            return 405
        return await send_file(request, opened)
    finally:
        os.close(opened.descriptor)


def open_file(path: str) -> File | None:
    """Open a regular file; None for a directory. Anything else is refused as not there."""
    if "\0" in path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    descriptor = os.open(path.encode("latin-1"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode):
        return File(descriptor, facts.st_size, facts.st_mtime)
    os.close(descriptor)
    if stat.S_ISDIR(facts.st_mode):
        return None
    raise FileNotFoundError(errno.ENOENT, "not a regular file")


def refuse_file(request: Request, path: str, error: OSError, *, call: str = "open") -> Handled:
    """Log why a file cannot be sent, and return the status for it; call: what failed."""
    if error.errno in _NOT_THERE:
        status, level = 404, "error"
    elif error.errno in (errno.EACCES, errno.ELOOP, errno.EPERM):
        status, level = 403, "error"
    else:
        status, level = 500, "crit"
    if status != 404 or request.settings.log_not_found:
        request.log(level, f'{call}() "{path}" failed ({error.errno}: {error.strerror})')
    return status


async def send_file(request: Request, file: File, *, coding: str = "") -> Handled:
    """Send an open file; coding: what it was put into beforehand."""
    media_type = content_type(request)
    fields = [("Content-Type", media_type)] if media_type else []
    if request.status_override in (None, 200):  # the page of an error has no time, as in nginx
        fields.append(("Last-Modified", http_date(file.modified_s)))
    if request.settings.etag:
        fields.append(("ETag", file.etag))
    if coding:
        fields.append(("Content-Encoding", coding))
    head = OutputHead(200, fields, file.size_octets, allows_ranges=True, allows_conditions=True)
    await send_head(request, head, is_held=True)
    if await _send_content(request, file):
        await finish(request)
    else:
        request.reply.is_cut = True
    return Outcome.DONE


async def _send_content(request: Request, file: File) -> bool:
    """Send the file; return whether all of it could be read, so that what is cut is seen to be."""
    at = 0 if request.reply.has_content else file.size_octets
    while at < file.size_octets:
        try:
            octets = os.pread(file.descriptor, min(PIECE_OCTETS, file.size_octets - at), at)
        except OSError as error:
            request.log("crit", f"pread() failed ({error.errno}: {error.strerror})")
            return False
        if not octets:
            request.log("alert", f"file was truncated to {at} octets while it was sent")
            return False
        await send(request, octets)
        at += len(octets)
    return True

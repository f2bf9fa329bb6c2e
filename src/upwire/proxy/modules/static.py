"""ngx_http_static_module, with the filters that its files meet: conditions and ranges."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from upwire.conf.model import MatchKind
from upwire.proxy.modules.not_modified import check_conditions
from upwire.proxy.modules.range import ByteRange, select_range
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import finish, http_date, respond, send, start_response
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


def map_to_path(request: Request, uri: str) -> str:
    """Return the file name for a path: below `root`, or `alias` in place of what matched."""
    settings = request.settings
    if settings.alias is not None:
        directory = settings.alias.render(request.lookup)
        location = request.location
        if location is not None and location.kind in (MatchKind.REGEX, MatchKind.REGEX_NOCASE):
            rest = ""
        else:
            rest = uri[len(location.pattern) :] if location is not None else uri
        return os.path.join(request.cycle.prefix, directory) + rest
    root = settings.root.render(request.lookup) if settings.root is not None else "html"
    return os.path.join(request.cycle.prefix, root) + uri


def content_type(request: Request) -> str:
    """Return the media type that `types` has for the path's extension, or `default_type`."""
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
        opened = _open(path)
    except OSError as error:
        return _refuse(request, path, error)
    if opened is None:
        request.redirect_to = escape_path(request.uri) + "/"
        if request.args:
            request.redirect_to += f"?{request.args}"
        return 301
    try:
        if request.method == "POST":
            return 405
        return await _send_file(request, opened)
    finally:
        os.close(opened.descriptor)


def _open(path: str) -> File | None:
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


def _refuse(request: Request, path: str, error: OSError) -> Handled:
    """Log why a file cannot be sent, and return the status for it."""
    if error.errno in _NOT_THERE:
        status, level = 404, "error"
    elif error.errno in (errno.EACCES, errno.ELOOP, errno.EPERM):
        status, level = 403, "error"
    else:
        status, level = 500, "crit"
    if status != 404 or request.settings.log_not_found:
        request.log(level, f'open() "{path}" failed ({error.errno}: {error.strerror})')
    return status


async def _send_file(request: Request, file: File) -> Handled:
    modified = http_date(file.modified_s)
    etag = file.etag if request.settings.etag else ""
    validators = [("Last-Modified", modified)] + ([("ETag", etag)] if etag else [])
    whole = ByteRange(0, file.size_octets)
    status, part = request.status_override or 200, whole
    if status == 200:
        condition = check_conditions(request.head.headers, modified, etag)
        if condition == 304:
            await respond(request, 304, validators, b"")
            return Outcome.DONE
        if condition is not None:
            return condition
        part = select_range(request.head.headers, file.size_octets, modified, etag) or whole
    fields = [("Content-Type", content_type(request)), *validators, ("Accept-Ranges", "bytes")]
    if part is not whole:
        status = 206
        if not part.is_satisfiable:
            request.added_fields.append(("Content-Range", f"bytes */{file.size_octets}"))
            return 416
        described = f"bytes {part.start}-{part.end - 1}/{file.size_octets}"
        fields.append(("Content-Range", described))
    await start_response(request, status, fields, length=part.end - part.start)
    await _send_part(request, file, part)
    return Outcome.DONE


async def _send_part(request: Request, file: File, part: ByteRange) -> None:
    """Send part of the file; one that shrank meanwhile cuts the response, so the client knows."""
    at = part.end if request.method == "HEAD" else part.start
    while at < part.end:
        octets = os.pread(file.descriptor, min(PIECE_OCTETS, part.end - at), at)
        if not octets:
            raise OSError(errno.EIO, f"file shrank to {at} octets while it was sent")
        await send(request, octets)
        at += len(octets)
    await finish(request)

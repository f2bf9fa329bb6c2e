"""ngx_http_autoindex_module: what is in a directory that has no index file."""

from __future__ import annotations

import errno
import os
import re
import stat

from upwire.proxy.modules.directory_listing import (
    Entry,
    sort_entries,
    write_html,
    write_json,
    write_xml,
)
from upwire.proxy.modules.static import map_to_path, refuse_file
from upwire.proxy.output import OutputHead
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import finish, send, send_head

_TYPES = {
    "html": "text/html",
    "json": "application/json",
    "jsonp": "application/javascript",
    "xml": "text/xml; charset=utf-8",
}
_CALLBACK = re.compile(r"[A-Za-z0-9_.]{0,128}")


def lists(request: Request) -> bool:
    """Whether a directory without an index file is to be listed for this request."""
    return request.settings.autoindex.is_on and request.method in ("GET", "HEAD")


async def answer(request: Request) -> Handled:
    """List the directory that the path names."""
    if not request.uri.endswith("/") or not lists(request):
        return None
    kind, callback = request.settings.autoindex.format, ""
    if kind == "jsonp":
        callback = request.lookup("arg_callback") or ""
        if not _CALLBACK.fullmatch(callback):
            request.log("info", f'client sent invalid callback name: "{callback}"')
            return 400
        kind = "jsonp" if callback else "json"
    directory = map_to_path(request, request.uri)
    try:
        entries = sort_entries(_read_directory(request, directory))
    except OSError as error:
        return refuse_file(request, directory, error, call="opendir")
    await send_head(request, OutputHead(200, [("Content-Type", _TYPES[kind])]), is_held=True)
    await send(request, _write(request, kind, entries, callback).encode("latin-1"))
    await finish(request)
    return Outcome.DONE


def _write(request: Request, kind: str, entries: list[Entry], callback: str) -> str:
    if kind == "xml":
        return write_xml(entries)
    if kind != "html":
        return write_json(entries, callback)
    is_utf8 = (request.reply.fields.get("Content-Type") or "").lower().endswith("charset=utf-8")
    return write_html(request.uri, entries, request.settings.autoindex, is_utf8=is_utf8)


def _read_directory(request: Request, directory: str) -> list[Entry]:
    """Return the entries that are not hidden; raises OSError where it is no directory."""
    octets = directory.encode("latin-1")
    names = [name for name in os.listdir(octets) if not name.startswith(b".")]
    found = [_read_entry(request, octets, name) for name in names]
    return [entry for entry in found if entry is not None]


def _read_entry(request: Request, directory: bytes, name: bytes) -> Entry | None:
    """Return an entry as its link leads, or the link itself where it leads nowhere."""
    path = os.path.join(directory, name)
    try:
        try:
            facts = os.stat(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            facts = os.lstat(path)
    except OSError as error:
        shown = path.decode("latin-1")
        request.log("crit", f'stat() "{shown}" failed ({error.errno}: {error.strerror})')
        return None
    kind = "other"
    if stat.S_ISDIR(facts.st_mode):
        kind = "directory"
    elif stat.S_ISREG(facts.st_mode):
        kind = "file"
    return Entry(name.decode("latin-1"), kind, facts.st_mtime, facts.st_size)

"""Files of a folder as answers to GET and HEAD."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence
from email.utils import formatdate, parsedate_to_datetime
from mimetypes import MimeTypes
from pathlib import Path
from typing import BinaryIO

from upwire.errors import LocalProtocolError
from upwire.server.request import Request
from upwire.server.response import Response
from upwire.wire.fields import Headers, parse_list

PIECE_OCTETS = 256 * 1024
INDEX = "index.html"

# Without the system's files, so that an answer does not depend on the machine.
_TYPES = MimeTypes(filenames=())
for _extension, _media_type in (
    (".js", "text/javascript"),
    (".mjs", "text/javascript"),
    (".map", "application/json"),
    (".md", "text/markdown"),
    (".wasm", "application/wasm"),
    (".webmanifest", "application/manifest+json"),
    (".webp", "image/webp"),
    (".woff2", "font/woff2"),
):
    _TYPES.add_type(_media_type, _extension)


class StaticFolder:
    """The files below a directory; nothing outside of it, not through `..` nor a link.

    A folder is answered with its index.html. cache_control is the field of that name.
    """

    def __init__(self, directory: str | os.PathLike[str], *, cache_control: str) -> None:
        self._root = Path(directory).resolve()
        if not self._root.is_dir():
            raise LocalProtocolError(f"{os.fspath(directory)} is not a folder")
        self._cache_control = cache_control

    async def answer(self, request: Request, segments: Sequence[str]) -> Response:
        """Answer with the file that the percent-decoded segments of a path name.

        404 where there is none, 304 where the client's copy is still right, 301 to add the
        slash that a folder's path lacks.
        """
        return await asyncio.to_thread(self._answer, request, segments)

    def _answer(self, request: Request, segments: Sequence[str]) -> Response:
        try:
            path = self._locate(segments)
            names_folder = request.path.endswith("/")
            if path.is_dir():
                if not names_folder:
                    return _redirect_to_folder(request)
                path /= INDEX
            elif names_folder:
                raise FileNotFoundError(f"{path} is no folder")
            return self._answer_with(path, request)
        except OSError:  # absent, unreadable, or not to be served: not the client's to know which
            return Response.text("404 Not Found: no such file\n", 404)

    def _locate(self, segments: Sequence[str]) -> Path:
        """Return the path that the segments name. OSError where they may not lead."""
        named = segments[:-1] if segments and not segments[-1] else segments
        if any(segment in ("", ".", "..") or set("/\\\0") & set(segment) for segment in named):
            raise PermissionError("a segment is none of a file's name")
        path = Path(os.path.realpath(self._root.joinpath(*named)))
        if not path.is_relative_to(self._root):
            raise PermissionError(f"{path} is not below {self._root}")
        return path

    def _answer_with(self, path: Path, request: Request) -> Response:
        """Answer with the file; OSError if it cannot be read."""
        with _open_regular(path) as file:
            status = os.fstat(file.fileno())
            etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            headers = Headers(
                [
                    ("ETag", etag),
                    ("Last-Modified", formatdate(status.st_mtime, usegmt=True)),
                    ("Cache-Control", self._cache_control),
                ]
            )
            if is_fresh(request.headers, etag, status.st_mtime):
                return Response(304, headers=headers)
            headers.add("Content-Type", media_type(path.name))
            headers.add("X-Content-Type-Options", "nosniff")
            if status.st_size <= PIECE_OCTETS:
                return Response(200, file.read(), headers)
        headers.add("Content-Length", str(status.st_size))
        return Response(200, _read_pieces(path, status.st_size), headers)


def media_type(name: str) -> str:
    """Return the Content-Type for a file's name; octets where nothing is known."""
    guessed, encoding = _TYPES.guess_type(name)
    if guessed is None or encoding is not None:
        return "application/octet-stream"
    is_text = guessed.startswith("text/") or guessed == "image/svg+xml"
    return f"{guessed}; charset=utf-8" if is_text else guessed


def is_fresh(headers: Headers, etag: str, modified_s: float) -> bool:
    """Whether the client's copy is still right, so that 304 is the answer.

    If-None-Match is compared weakly and makes If-Modified-Since void. RFC 9110 §13.1, §13.2.2.
    """
    known = headers.combined("If-None-Match")
    if known is not None:
        return any(tag == "*" or tag.removeprefix("W/") == etag for tag in parse_list(known))
    since = headers.get("If-Modified-Since")
    if since is None:
        return False
    try:
        return int(modified_s) <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False


def _redirect_to_folder(request: Request) -> Response:
    """Send the client to the same path with a slash, so that relative links lead on from it."""
    query = f"?{request.head.query}" if request.head.query else ""
    name = request.path.rpartition("/")[2]
    return Response.redirect(f"./{name}/{query}", 301)  # "./": the name may hold a colon


def _open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read; OSError for anything else, a pipe without waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")


async def _read_pieces(path: Path, octets: int) -> AsyncIterator[bytes]:
    """Read the octets piece by piece, no more than were promised if the file grows."""
    with await asyncio.to_thread(_open_regular, path) as file:
        while octets and (piece := await asyncio.to_thread(file.read, min(octets, PIECE_OCTETS))):
            octets -= len(piece)
            yield piece

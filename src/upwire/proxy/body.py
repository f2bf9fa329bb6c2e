"""The content of a request: read whole before the upstream is asked, or passed on as it comes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import IO

from upwire.errors import RemoteProtocolError, StreamError
from upwire.proxy.request import Request
from upwire.wire.fields import has_token
from upwire.wire.http1 import BodyKind

PIECE_OCTETS = 64 * 1024
_NOT_YET = 408  # no more has come


class BodyRefused(Exception):
    """The content cannot be taken; status is the answer, 0 where nobody waits for one."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Body:
    """A content for the upstream. octets is None while its length is not known.

    is_declared: the request's head speaks of a content. can_repeat: it was read whole, so another
    peer can get it too. memory: all of it, None where it is in a file or still on its way.
    """

    __slots__ = ("_file", "_request", "can_repeat", "is_declared", "memory", "octets")

    def __init__(
        self,
        request: Request,
        *,
        memory: bytes | None = None,
        file: IO[bytes] | None = None,
        octets: int | None = None,
        is_declared: bool = True,
    ) -> None:
        self._request = request
        self._file = file
        self.memory = memory
        self.octets = octets if memory is None else len(memory)
        self.is_declared = is_declared
        self.can_repeat = file is not None or self.octets == 0 or memory is not None

    @property
    def path(self) -> str | None:
        """The name of the file that the content is in."""
        return None if self._file is None else self._file.name

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the content; raises BodyRefused where it is still on its way and goes wrong."""
        if self.memory is not None:
            if self.memory:
                yield self.memory
        elif self._file is not None:
            at = 0  # not the file's own place: a mirror may read it at the same time
            while piece := os.pread(self._file.fileno(), PIECE_OCTETS, at):
                at += len(piece)
                yield piece
        elif self.octets != 0:
            async for piece in self._pass_pieces():
                yield piece

    async def _pass_pieces(self) -> AsyncIterator[bytes]:
        """Yield the content as it comes; a small one is kept, for its variable."""
        seen = bytearray()
        limit_octets = self._request.settings.client_body.buffer_octets
        async for piece in read_pieces(self._request):
            if len(seen) <= limit_octets:
                seen += piece
            yield piece
        if len(seen) <= limit_octets:
            self.memory = bytes(seen)

    def close(self, *, is_kept: bool = False) -> None:
        """Close the file, and remove it unless it is kept."""
        if self._file is None:
            return
        with suppress(OSError):  # a full disk refuses what is not written yet
            self._file.close()
        if not is_kept:
            with suppress(OSError):
                os.unlink(self._file.name)


async def read_body(request: Request, *, is_whole: bool = False) -> Body:
    """Return the content that goes upstream; raises BodyRefused where it cannot be taken.

    It is read once: an internal redirect and another peer get the same. A subrequest has none.
    is_whole: it is read to its end, whatever `proxy_request_buffering` says.
    """
    if request.body is None:
        request.body = _take(request, is_whole=is_whole) or await _read_whole(request)
    return request.body


def _take(request: Request, *, is_whole: bool) -> Body | None:
    """Return a content that nobody has to wait for, or that is to be passed on as it comes."""
    http = request.http
    if request.main is not request or http is None or http.framing.kind is BodyKind.NONE:
        return Body(request, memory=b"", is_declared=False)
    proxy = request.settings.proxy
    if proxy.pass_ is not None and not is_whole:
        if not proxy.pass_request_body:
            return Body(request, memory=b"")
        if not proxy.request_buffering:
            return Body(request, octets=http.framing.length)
    return None


async def _read_whole(request: Request) -> Body:
    """Read the content into memory, and from `client_body_buffer_size` on into a file."""
    await _encourage(request)
    settings = request.settings.client_body
    memory = bytearray()
    file = _open_file(request) if settings.in_file_only != "off" else None
    try:
        async for piece in read_pieces(request):
            if file is None and len(memory) + len(piece) > settings.buffer_octets:
                file = _open_file(request)
                file.write(memory)
            if file is None:
                memory += piece
            else:
                file.write(piece)
        if file is not None:
            file.flush()
    except BaseException as error:
        if file is not None:
            Body(request, file=file).close()
        if isinstance(error, OSError):
            raise _not_kept(request, "write()", error) from error
        raise
    if file is None:
        return Body(request, memory=bytes(memory))
    return Body(request, file=file, octets=request.body_octets)


async def _encourage(request: Request) -> None:
    """Send 100 (Continue) to a client that waits for it with no content at all, as nginx does."""
    assert request.http is not None
    head = request.head
    is_empty = request.http.framing.length == 0 and head.version >= (1, 1)
    if is_empty and has_token(head.headers, "Expect", "100-continue"):
        await request.http.inform(100)


def _open_file(request: Request) -> IO[bytes]:
    """Open a temporary file in `client_body_temp_path`, the system's folder where that is unset."""
    folder = request.settings.client_body.temp_path
    path = os.path.join(request.cycle.prefix, folder) if folder is not None else None
    try:
        if path is not None:
            os.makedirs(path, mode=0o700, exist_ok=True)
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - Body.close() closes it
            dir=path, prefix="upwire-body-", delete=False
        )
    except OSError as error:
        raise _not_kept(request, "open()", error) from error
    request.log("warn", f"a client request body is buffered to a temporary file {file.name}")
    return file


def _not_kept(request: Request, call: str, error: OSError) -> BodyRefused:
    request.log("crit", f"{call} of a client request body failed ({error.errno}: {error.strerror})")
    return BodyRefused(500)


async def read_pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the content as the client sends it, held to `client_max_body_size`.

    Raises BodyRefused: 413 for too much, 400 for a bad coding, 408 when the client stalls, and
    without a status where the client is gone.
    """
    assert request.http is not None
    limit = request.settings.client_max_body_octets
    try:
        while piece := await request.http.read(timeout_s=request.settings.client_body_timeout_s):
            request.body_octets += len(piece)
            if limit and request.body_octets > limit:
                request.log(
                    "error",
                    f"client intended to send too large chunked body: {request.body_octets} bytes",
                )
                raise BodyRefused(413)
            yield piece
    except RemoteProtocolError as error:
        request.log("info", f"client sent invalid body: {error.message}")
        raise BodyRefused(error.status) from error
    except StreamError as error:
        request.log("info", f"client prematurely closed connection: {error}")
        raise BodyRefused(0) from error


async def discard_waiting(request: Request) -> int | None:
    """Drop the content that has come already, for who answers without it; 400 for a bad coding.

    The rest is dropped behind the response.
    """
    http = request.http
    if http is None or http.framing.kind is not BodyKind.CHUNKED or request.main is not request:
        return None
    try:
        while http.has_content_waiting:
            request.body_octets += len(await http.read(timeout_s=0))
    except RemoteProtocolError as error:
        if error.status != _NOT_YET:
            request.log("info", f"client sent invalid chunked body: {error.message}")
            return error.status
    return None


def is_too_large(request: Request) -> bool:
    """Whether the declared length passes `client_max_body_size`; it is logged then."""
    if request.http is None or request.main is not request:
        return False
    length = request.http.framing.length
    limit = request.settings.client_max_body_octets
    if not limit or length is None or length <= limit:
        return False
    request.log("error", f"client intended to send too large body: {length} bytes")
    return True

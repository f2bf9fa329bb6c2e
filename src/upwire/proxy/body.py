"""The content of a request: read whole before the upstream is asked, or passed on as it comes."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

from upwire.errors import RemoteProtocolError, StreamError
from upwire.proxy.request import Request
from upwire.wire.http1 import BodyKind

MEMORY_OCTETS = 64 * 1024
"""Above this a content that is read whole goes to a temporary file."""

PIECE_OCTETS = 64 * 1024


class BodyRefused(Exception):
    """The content cannot be taken; status is the answer, 0 where nobody waits for one."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Body:
    """A content for the upstream. octets is None while its length is not known.

    can_repeat: it was read whole, so another peer can get it too.
    """

    __slots__ = ("_file", "_request", "can_repeat", "octets")

    def __init__(self, request: Request, file: BinaryIO | None, octets: int | None) -> None:
        self._request = request
        self._file = file
        self.octets = octets
        self.can_repeat = file is not None or octets == 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the content; raises BodyRefused where it is still on its way and goes wrong."""
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(PIECE_OCTETS):
                yield piece
        elif self.octets != 0:
            async for piece in read_pieces(self._request):
                yield piece

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()


async def read_body(request: Request) -> Body:
    """Return the content that goes upstream; raises BodyRefused where it cannot be taken."""
    assert request.http is not None
    framing = request.http.framing
    proxy = request.settings.proxy
    if framing.kind is BodyKind.NONE or not proxy.pass_request_body:
        return Body(request, None, 0)
    if not proxy.request_buffering:
        return Body(request, None, framing.length)
    file = tempfile.SpooledTemporaryFile(max_size=MEMORY_OCTETS)  # noqa: SIM115 - Body closes it
    try:
        async for piece in read_pieces(request):
            file.write(piece)
    except BaseException:
        file.close()
        raise
    if request.body_octets <= MEMORY_OCTETS:
        file.seek(0)
        request.body_text = file.read().decode("latin-1")
    return Body(request, cast("BinaryIO", file), request.body_octets)


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
                request.log("error", "client intended to send too large chunked body")
                raise BodyRefused(413)
            yield piece
    except RemoteProtocolError as error:
        request.log("info", f"client sent invalid body: {error.message}")
        raise BodyRefused(error.status) from error
    except StreamError as error:
        request.log("info", f"client prematurely closed connection: {error}")
        raise BodyRefused(0) from error


def is_too_large(request: Request) -> bool:
    """Whether the declared length passes `client_max_body_size`; it is logged then."""
    if request.http is None:
        return False
    length = request.http.framing.length
    limit = request.settings.client_max_body_octets
    if not limit or length is None or length <= limit:
        return False
    request.log("error", f"client intended to send too large body: {length} bytes")
    return True

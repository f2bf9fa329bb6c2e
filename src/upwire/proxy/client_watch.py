"""Notices that the client is gone while its request waits on the upstream."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from upwire.errors import StreamError, UpwireError
from upwire.net.stream import READ_HIGH_OCTETS, Stream


class ClientGone(UpwireError):
    """The client closed its connection, or its direction of it; nginx logs 499."""


class ClientWatch:
    """While it is entered, the client's end interrupts what is awaited, as ClientGone.

    What the client sends meanwhile, such as its next request, is put back into the stream.
    """

    __slots__ = ("_is_gone", "_octets", "_stream", "_task")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._octets = bytearray()
        self._is_gone = False
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._stream.push_to(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        if not self._stream.is_closed:
            self._stream.push_to(None)
            self._stream.unread(bytes(self._octets))
        if self._is_gone and task is not None:
            is_cancelled_otherwise = task.uncancel() > 0
            if not is_cancelled_otherwise and kind in (None, asyncio.CancelledError):
                raise ClientGone("client prematurely closed connection") from None

    def octets_received(self, octets: bytes) -> None:
        """Keep what comes early, up to a bound."""
        self._octets += octets
        if len(self._octets) >= READ_HIGH_OCTETS:
            self._stream.pause()

    def eof_received(self) -> None:
        """The client has ended its direction: as nginx, take it for gone."""
        self._interrupt()

    def stream_lost(self, error: StreamError | None) -> None:
        """The connection is gone."""
        self._interrupt()

    def _interrupt(self) -> None:
        if self._task is not None and not self._is_gone:
            self._is_gone = True
            self._task.cancel()

"""Notices that a client has gone while its application waits for nothing else."""

from __future__ import annotations

import asyncio

from upwire.errors import StreamError
from upwire.net.stream import READ_HIGH_OCTETS, Stream
from upwire.net.waiting import wake


class ClientWatch:
    """Wakes a future at the client's end, or where `end()` says so.

    What the client sends meanwhile, such as its next request, goes back into the stream.
    """

    __slots__ = ("_gone", "_is_watching", "_octets", "_stream")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._octets = bytearray()
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_watching = True
        stream.push_to(self)

    async def wait(self) -> None:
        """Wait until the client is gone, or the watch has ended; several tasks may."""
        await asyncio.shield(self._gone)

    def give_back(self) -> None:
        """Watch no more: the stream is another's, with what came early."""
        if self._is_watching:
            self._is_watching = False
            if not self._stream.is_closed:
                self._stream.push_to(None)
                self._stream.unread(bytes(self._octets))

    def end(self) -> None:
        """Watch no more, and let those go on who wait."""
        self.give_back()
        wake(self._gone)

    def tell(self) -> None:
        """Let those who wait go on, as if the client were gone."""
        wake(self._gone)

    # Called by the stream

    def octets_received(self, octets: bytes) -> None:
        """Keep what comes early, up to a bound."""
        self._octets += octets
        if len(self._octets) >= READ_HIGH_OCTETS:
            self._stream.pause()

    def eof_received(self) -> None:
        """Take the end of the client's direction, which is mostly that of the client."""
        wake(self._gone)

    def stream_lost(self, error: StreamError | None) -> None:
        """Take the end of the connection."""
        wake(self._gone)

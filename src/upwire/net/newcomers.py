"""`Newcomers`: connections of which nothing has come yet, each without a task of its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from upwire.errors import StreamError
from upwire.net.stream import Stream


class Newcomers:
    """Waits for the first octets of connections, and closes those that are silent too long.

    on_octets: gets a Stream and its first octets. on_loss: is called where one has gone before.
    """

    def __init__(
        self,
        on_octets: Callable[[Stream, bytes], None],
        on_loss: Callable[[], None],
        silence_s: float,
    ) -> None:
        self._on_octets = on_octets
        self._on_loss = on_loss
        self._silence_s = silence_s
        self._due_s: dict[Stream, float] = {}  # by when, in the loop's time; the first comes first
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due_s)

    def add(self, stream: Stream) -> None:
        """Wait for the first octets of a connection."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._silence_s
        self._due_s[stream] = due_s
        if self._timer is None and due_s < math.inf:
            self._timer = loop.call_at(due_s, self._close_silent, due_s)
        stream.push_to(_Newcomer(self, stream))

    def leave(self) -> list[Stream]:
        """Wait no more; return the connections that have sent nothing."""
        left = list(self._due_s)
        self._due_s.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for stream in left:
            stream.push_to(None)
        return left

    def meet(self, stream: Stream, octets: bytes) -> None:
        """Take the first octets of a connection."""
        del self._due_s[stream]
        stream.push_to(None)
        self._on_octets(stream, octets)

    def lose(self, stream: Stream) -> None:
        """Take that a connection has gone before its first octets."""
        del self._due_s[stream]
        self._on_loss()

    def _close_silent(self, now_s: float) -> None:
        """Close those that are due by now_s; come again for the next."""
        self._timer = None
        for stream, due_s in list(self._due_s.items()):
            if due_s > now_s:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_at(due_s, self._close_silent, due_s)
                break
            stream.close()


class _Newcomer:
    """What hears of one of them."""

    __slots__ = ("_newcomers", "_stream")

    def __init__(self, newcomers: Newcomers, stream: Stream) -> None:
        self._newcomers = newcomers
        self._stream = stream

    def octets_received(self, octets: bytes) -> None:
        self._newcomers.meet(self._stream, octets)

    def eof_received(self) -> None:
        self._stream.close()

    def stream_lost(self, error: StreamError | None) -> None:
        self._newcomers.lose(self._stream)

"""Notices that the client is gone while its request waits on the upstream."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from upwire.errors import UpwireError
from upwire.net.stream import Stream


class ClientGone(UpwireError):
    """The client closed its connection, or its direction of it; nginx logs 499."""


class ClientWatch:
    """While it is entered, the client's end interrupts what is awaited, as ClientGone.

    What the client sends meanwhile, such as its next request, waits in the stream.
    """

    __slots__ = ("_is_gone", "_stream", "_task")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._is_gone = False
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._stream.on_end = self._interrupt
        if self._stream.is_eof or self._stream.is_closed:
            asyncio.get_running_loop().call_soon(self._interrupt)  # a task cannot cancel itself
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.on_end = None
        task, self._task = self._task, None
        if self._is_gone and task is not None:
            is_cancelled_otherwise = task.uncancel() > 0
            if not is_cancelled_otherwise and kind in (None, asyncio.CancelledError):
                raise ClientGone("client prematurely closed connection") from None

    def _interrupt(self) -> None:
        """Take the end of the client's direction for that of the client, as nginx does."""
        if self._task is not None and not self._is_gone:
            self._is_gone = True
            self._task.cancel()

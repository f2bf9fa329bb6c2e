"""`Window`: how much is on its way to a member that shows one publication after another."""

from __future__ import annotations

from collections import deque

from upwire.rooms.events import Encoder, Event, Published
from upwire.rooms.protocol import WINDOW_MAX


class Window:
    """The encoder of one member, who tells what it has shown.

    size: so many publications may be sent and not yet shown; 0 for no limit. Of those that come
    while it is full, the newest is kept for later, and none of the others is told.
    """

    def __init__(self, encode: Encoder, size: int) -> None:
        self._encode = encode
        self._size = size
        self._on_the_way: deque[int] = deque(maxlen=WINDOW_MAX)
        self._newest: tuple[str, Published] | None = None

    def __call__(self, room: str, event: Event) -> str | bytes | None:
        """Return the message that tells the event; None: it is not told now."""
        if not isinstance(event, Published):
            return self._encode(room, event)
        if self._is_full():
            self._newest = room, event
            return None
        self._newest = None
        self._on_the_way.append(event.publication.offset)
        return self._encode(room, event)

    def acknowledge(self, offset: int) -> str | bytes | None:
        """Take that the publication of this offset is shown; return what may go now."""
        while self._on_the_way and self._on_the_way[0] <= offset:
            self._on_the_way.popleft()
        return self._release()

    def resize(self, size: int) -> str | bytes | None:
        """Set another size; return what may go now."""
        self._size = size
        return self._release()

    def _is_full(self) -> bool:
        return 0 < self._size <= len(self._on_the_way)

    def _release(self) -> str | bytes | None:
        return None if self._newest is None or self._is_full() else self(*self._newest)

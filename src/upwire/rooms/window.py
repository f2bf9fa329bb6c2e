"""`Window`: how much is on its way to a member that shows one publication after another."""

from __future__ import annotations

from bisect import bisect_right, insort

from upwire.rooms.events import Encoder, Event, Published
from upwire.rooms.home import Position
from upwire.rooms.protocol import WINDOW_MAX


class Window:
    """The encoder of one member, who tells what it has shown.

    size: so many publications may be sent and not yet shown; 0 for no limit. Of those that come
    while it is full, the newest is kept for later, and none of the others is told.

    Publications come in any order: what a member has missed is told behind what came since.
    """

    def __init__(self, encode: Encoder, size: int) -> None:
        self._encode = encode
        self._size = size
        self._epoch = ""  # of all offsets here
        self._shown = 0
        self._on_the_way: list[int] = []  # ascending
        self._newest: tuple[str, Published] | None = None

    def __call__(self, room: str, event: Event) -> str | bytes | None:
        """Return the message that tells the event; None: it is not told now."""
        if not isinstance(event, Published):
            return self._encode(room, event)
        self._count_in(event.position.epoch)
        offset = event.publication.offset
        if offset <= self._shown:
            return None
        if offset not in self._on_the_way:  # else it is told in place of its first message
            if self._is_full():
                self._keep(room, event)
                return None
            insort(self._on_the_way, offset)
            del self._on_the_way[:-WINDOW_MAX]
        return self._encode(room, event)

    def acknowledge(self, offset: int) -> str | bytes | None:
        """Take that the publication of this offset is shown; return what may go now."""
        # Of what is on its way, no more: the offset may be of an epoch before.
        shown = bisect_right(self._on_the_way, offset)
        if shown:
            self._shown = self._on_the_way[shown - 1]
            del self._on_the_way[:shown]
        return self.release()

    def catch_up(self, position: Position) -> None:
        """Take that the member has everything up to here otherwise, and acknowledges none of it."""
        self._count_in(position.epoch)
        self._shown = max(self._shown, position.offset)
        del self._on_the_way[: bisect_right(self._on_the_way, self._shown)]

    def resize(self, size: int) -> str | bytes | None:
        """Set another size; return what may go now."""
        self._size = size
        return self.release()

    def release(self) -> str | bytes | None:
        """Return what was kept, if it may go now."""
        if self._newest is None or self._is_full():
            return None
        newest, self._newest = self._newest, None
        return self(*newest)

    def _count_in(self, epoch: str) -> None:
        if epoch != self._epoch:
            self._epoch = epoch
            self._shown = 0
            self._on_the_way.clear()
            self._newest = None

    def _is_full(self) -> bool:
        return 0 < self._size <= len(self._on_the_way)

    def _keep(self, room: str, event: Published) -> None:
        before = self._on_the_way[-1]
        if self._newest is not None:
            before = max(before, self._newest[1].publication.offset)
        if event.publication.offset > before:
            self._newest = room, event

"""Messages that members have missed, kept while many come back at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from upwire.net.websocket import PreparedMessage
from upwire.rooms.events import Published
from upwire.rooms.home import History, Position

KEPT_S = 10.0
"""How long messages are kept: about as long as clients take to come back to a new server."""


class MissedMessages:
    """The messages of publications that an audience has missed, each made once.

    Five thousand members that miss a hundred publications each would be half a million frames.
    """

    __slots__ = ("_epoch", "_limit", "_messages", "_prepare")

    def __init__(self, prepare: Callable[[Published], PreparedMessage | None], limit: int) -> None:
        """prepare: makes the message of a publication. limit: how many are kept at most."""
        self._prepare = prepare
        self._limit = limit
        self._epoch = ""
        self._messages: dict[int, PreparedMessage | None] = {}  # by offset

    def of(self, history: History) -> list[tuple[PreparedMessage, Position]]:
        """Return the messages of a history, without those that are not told."""
        epoch = history.position.epoch
        if epoch != self._epoch:
            self._epoch = epoch
            self._messages.clear()
        if not self._messages and history.publications:
            asyncio.get_running_loop().call_later(KEPT_S, self._messages.clear)
        missed = []
        for publication in history.publications:
            position = Position(epoch, publication.offset)
            if position.offset not in self._messages:
                self._messages[position.offset] = self._prepare(Published(publication, position))
            message = self._messages[position.offset]
            if message is not None:
                missed.append((message, position))
        self._drop_oldest()
        return missed

    def _drop_oldest(self) -> None:
        for offset in sorted(self._messages)[: max(0, len(self._messages) - self._limit)]:
            del self._messages[offset]

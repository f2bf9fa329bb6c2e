"""How far one room's listener has been told of what Redis brings."""

from __future__ import annotations

import asyncio

from upwire.errors import HomeUnreachable
from upwire.rooms.home import History, Listener, Position
from upwire.rooms.redis_octets import Joined, Left, Published


class Subscription:
    """A room's listener, and how far it has been told.

    position: None until the channel is heard. is_collected: the subscriber knows its position, and
    is owed all that follows. is_stale: the log is to be read before anything is told.
    """

    def __init__(self, room: str, listener: Listener) -> None:
        self.room = room
        self.position: Position | None = None
        self._listener = listener
        self._is_collected = False
        self.is_stale = False
        self._failure: HomeUnreachable | None = None
        self._has_news = asyncio.Event()

    async def collect(self) -> Position:
        """Wait for the position; from this moment on the listener is told.

        Raises HomeUnreachable where the server refuses to tell it.
        """
        while self.position is None:
            if self._failure is not None:
                raise self._failure
            await self._has_news.wait()
        self._is_collected = True
        return self.position

    def take(self, message: Published | Joined | Left) -> bool:
        """Tell the listener, each offset once. Returns False where earlier ones are missing."""
        if self.position is None or self.is_stale:
            return True  # the log will say
        match message:
            case Published(position, publication):
                if position.epoch == self.position.epoch:
                    if position.offset <= self.position.offset:
                        return True
                    if position.offset == self.position.offset + 1:
                        self.position = position
                        if self._is_collected:
                            self._listener.published(publication, position)
                        return True
                return False
            case Joined(member_id, info) if self._is_collected:
                self._listener.joined(member_id, info)
            case Left(member_id) if self._is_collected:
                self._listener.left(member_id)
        return True

    def catch_up(self, history: History) -> None:
        """Take what the log has behind `position`."""
        self.position = history.position
        if self._is_collected:
            if self.is_stale or not history.is_complete:
                self._listener.resumed(history)
            else:
                for publication in history.publications:
                    place = Position(history.position.epoch, publication.offset)
                    self._listener.published(publication, place)
        self.is_stale = False
        self._has_news.set()

    def refuse(self, error: HomeUnreachable) -> None:
        """Take that the server does not tell what the log has."""
        self._failure = error
        self._has_news.set()
        if self._is_collected:
            self.interrupt()

    def interrupt(self) -> None:
        """Take that the connection is lost."""
        if not self._is_collected:
            self.position = None
            self._has_news.clear()
        elif not self.is_stale:
            self.is_stale = True
            self._listener.interrupted()

    def drop(self) -> None:
        """Tell the listener nothing more."""
        self._is_collected = False

"""Brings connections to the engine of their loop, where one is available."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from upwire.net.stream import Stream
from upwire.net.websocket import _engine
from upwire.net.websocket._channel import Cork
from upwire.net.websocket._link import Link


def can_take_over(stream: Stream) -> bool:
    """Whether the engine is there, and the Stream can lend its socket."""
    return _engine.is_available() and stream.can_lend


def take_over(stream: Stream) -> tuple[Link, Cork, bytes]:
    """Move a connection from its Stream to the engine.

    Returns the Link, the cork of its engine, and what the Stream had read. Raises OSError where
    the system has no descriptor left; the Stream is as it was then.
    """
    driver = _driver_of(asyncio.get_running_loop())
    link = Link(driver.engine, stream.lend(), stream.peer_address, stream.local_address)
    try:
        driver.engine.add(link)
    except OSError:
        stream.take_back()
        raise
    return link, driver.engine.cork, stream.give_up()


class _Driver:
    """The engine of one loop, and the loop's watch on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.engine = _engine.Engine(self._take_news)
        self._is_scheduled = False
        loop.add_reader(self.engine.descriptor, self._step)

    def _take_news(self) -> None:
        """Step once more where the descriptor says nothing, or leave behind the last Link."""
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._step_on)

    def _step_on(self) -> None:
        self._is_scheduled = False
        if len(self.engine):
            self._step()
        else:
            self._leave()

    def _step(self) -> None:
        self.engine.step()
        self.engine.cork.pull()
        if self.engine.is_busy:
            self._take_news()

    def _leave(self) -> None:
        """Leave the loop: nothing of the engine is kept."""
        loop = asyncio.get_running_loop()
        if _drivers.get(loop) is self:
            del _drivers[loop]
            loop.remove_reader(self.engine.descriptor)
            self.engine.close()


_drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Driver] = WeakKeyDictionary()


def _driver_of(loop: asyncio.AbstractEventLoop) -> _Driver:
    """Return the loop's driver, made for its first connection; those of closed loops go."""
    driver = _drivers.get(loop)
    if driver is None:
        for closed in [other for other in _drivers if other.is_closed()]:
            del _drivers[closed]
        driver = _drivers[loop] = _Driver(loop)
    return driver

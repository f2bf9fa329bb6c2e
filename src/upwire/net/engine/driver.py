"""Brings connections to the engine of their loop, where one is available."""

from __future__ import annotations

import asyncio
import socket
from functools import lru_cache
from weakref import WeakKeyDictionary

from upwire.net.engine import _engine
from upwire.net.engine._link import Link
from upwire.net.engine._taker import Cork
from upwire.net.stream import Address, to_address

WATCHED_MAX = 8
"""So many sockets a loop watches by itself: among few, an epoll in between saves nothing."""


def is_available() -> bool:
    """Whether there is an engine for plain sockets."""
    return _engine.is_available()


def open_link(sock: socket.socket) -> Link:
    """Bring a connected socket to the engine, whose Link owns its descriptor from now on.

    Raises OSError, and leaves the socket to the caller then.
    """
    engine = _driver_of(asyncio.get_running_loop()).engine
    peer, local = to_address(sock.getpeername()), _share(to_address(sock.getsockname()))
    link = Link(engine, sock.fileno(), peer, local)
    try:
        engine.add(link)
    except OSError:
        link.give_up()
        raise
    sock.detach()
    return link


def settle(link: Link) -> Cork:
    """Let a Link of the engine stay for long; return the cork of the engine."""
    driver = _driver_of(asyncio.get_running_loop())
    if driver.has_few_links:
        watch = _Watch(driver)
        link.move_to(watch)
        watch.begin(link)
    cork: Cork = driver.engine.cork
    return cork


@lru_cache(maxsize=64)
def _share(address: Address) -> Address:
    """Return an address as one object for all connections that have it."""
    return address


class _Watch:
    """A Link whose socket the loop watches by itself, without the engine's epoll between."""

    __slots__ = ("_driver", "_is_reading", "_is_writing", "_link", "_loop")

    def __init__(self, driver: _Driver) -> None:
        self._driver = driver
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._is_reading = False
        self._is_writing = False

    def begin(self, link: Link) -> None:
        """Watch a Link."""
        self._link = link
        self._driver.watched += 1
        self._read_on(link)

    def queue(self, link: Link) -> None:
        """Serve it again, whether there is an event or not."""
        self._read_on(link)

    def watch_writing(self, link: Link) -> None:
        """Serve it once it can be written again."""
        if not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(link.descriptor, self._serve, link, False)

    def remove(self, link: Link) -> None:
        """Watch it no more."""
        if self._link is None:
            return
        self._link = None
        self._driver.watched -= 1
        self._loop.remove_reader(link.descriptor)
        self._loop.remove_writer(link.descriptor)

    def leave_if_unused(self) -> None:
        """Let the driver see whether it is needed."""
        self._driver.engine.leave_if_unused()

    def _read_on(self, link: Link) -> None:
        if not self._is_reading and self._link is not None:
            self._is_reading = True
            self._loop.add_reader(link.descriptor, self._serve, link, True)

    def _serve(self, link: Link, is_readable: bool) -> None:
        self._driver.serve(link, is_readable=is_readable)
        if self._link is None:
            return
        if self._is_reading and not link.is_wanted:
            self._is_reading = False
            self._loop.remove_reader(link.descriptor)
            link.expect_input()
        if self._is_writing and not link.is_waiting:
            self._is_writing = False
            self._loop.remove_writer(link.descriptor)


class _Driver:
    """The engine of one loop, and the loop's watch on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.engine = _engine.Engine(self._take_news)
        self.watched = 0
        self._is_scheduled = False
        loop.add_reader(self.engine.descriptor, self._step)

    @property
    def has_few_links(self) -> bool:
        """Whether so few connections are open that the loop can watch one more by itself."""
        return len(self.engine) + self.watched < WATCHED_MAX

    def _take_news(self) -> None:
        """Step once more where the descriptor says nothing, or leave behind the last Link."""
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._step_on)

    def _step_on(self) -> None:
        self._is_scheduled = False
        if len(self.engine) or self.watched:
            self._step()
        else:
            self._leave()

    def serve(self, link: Link, *, is_readable: bool) -> None:
        """Serve a Link that the loop watches by itself."""
        self.engine.serve(link, is_readable=is_readable)
        self._end_batch()

    def _step(self) -> None:
        self.engine.step()
        self._end_batch()

    def _end_batch(self) -> None:
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

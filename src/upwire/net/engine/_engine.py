# cython: boundscheck=False, wraparound=False, cdivision=True
"""The engine of plain sockets: receives for all that a loop has, and sends what waited.

It has an epoll descriptor of its own, which the loop watches, and one scratch buffer for all.
Cython's pure Python mode; uncompiled, the file can be imported and the engine is not available.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
    from cython.cimports.libc.errno import EAGAIN, EINTR, errno
    from cython.cimports.libc.stdlib import free, malloc
    from cython.cimports.posix.unistd import close
    from cython.cimports.upwire.net._system import (
        EPOLL_CLOEXEC,
        EPOLL_CTL_ADD,
        EPOLL_CTL_DEL,
        EPOLLET,
        EPOLLIN,
        EPOLLOUT,
        EPOLLRDHUP,
        MSG_DONTWAIT,
        epoll_create1,
        epoll_ctl,
        epoll_event,
        epoll_wait,
        recv,
    )
    from cython.cimports.upwire.net.engine._link import Link
    from cython.cimports.upwire.net.engine._taker import Cork, Taker
else:
    from upwire.net.engine._link import Link
    from upwire.net.engine._taker import Cork, Taker

SCRATCH_OCTETS = 256 * 1024
"""The most that one receive takes, behind what an earlier one had left unread."""

_SCRATCH = cython.declare(cython.Py_ssize_t, SCRATCH_OCTETS)
_EVENTS = cython.declare(cython.int, 256)
_RECEIVES = cython.declare(cython.int, 2)  # of a connection in a turn, while others wait


def is_available() -> bool:
    """Whether the engine can be used: it is compiled code, and Linux's."""
    return bool(cython.compiled)


@cython.final
@cython.cclass
class Engine:
    """The Links of one loop. Its calls come from one thread.

    descriptor: becomes readable when `step()` has something to do.
    cork: holds back what is sent during a step; whoever calls `step()` pulls it afterwards.
    on_news: is called where a Link is queued outside of a step, or the last one has gone.
    """

    descriptor = cython.declare(cython.int, visibility="readonly")
    cork = cython.declare(Cork, visibility="readonly")
    _on_news: Callable[[], None]
    _links: set[Link]
    _removed: list[Link]  # they may stand among the events until the step is over
    _queued: list[Link]
    _scratch: cython.p_uchar
    _is_stepping: cython.bint

    def __cinit__(self) -> None:
        self.descriptor = -1

    def __init__(self, on_news: Callable[[], None]) -> None:
        self.cork = Cork()
        self._on_news = on_news
        self._links = set()
        self._removed = []
        self._queued = []
        self._scratch = cython.cast(cython.p_uchar, malloc(_SCRATCH))
        if self._scratch == cython.NULL:
            raise MemoryError
        self.descriptor = epoll_create1(EPOLL_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self) -> None:
        free(self._scratch)
        if self.descriptor >= 0:
            close(self.descriptor)

    def __len__(self) -> int:
        return len(self._links)

    @property
    def is_busy(self) -> bool:
        """Whether `step()` has something to do, whatever the descriptor says."""
        return len(self._queued) > 0

    def close(self) -> None:
        """Close the descriptor, behind the last Link."""
        close(self.descriptor)
        self.descriptor = -1

    def add(self, link: Link) -> None:
        """Begin to serve a Link. Raises OSError, and then has not begun."""
        event = cython.declare(epoll_event)
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
        event.data.ptr = cython.cast(cython.p_void, link)
        if epoll_ctl(self.descriptor, EPOLL_CTL_ADD, link.descriptor, cython.address(event)):
            raise OSError(errno, os.strerror(errno))
        self._links.add(link)

    @cython.ccall
    def remove(self, link: Link) -> None:
        """Serve a Link no more. A second time this does nothing."""
        if link in self._links:
            self._links.remove(link)
            # close() does not do so while another descriptor of the socket is open
            epoll_ctl(self.descriptor, EPOLL_CTL_DEL, link.descriptor, cython.NULL)
            if self._is_stepping:
                self._removed.append(link)

    @cython.ccall
    def queue(self, link: Link) -> None:
        """Serve a Link in the next step, whether there is an event or not."""
        if not link.is_queued:
            link.is_queued = True
            self._queued.append(link)
            if not self._is_stepping:
                self._on_news()

    def watch_writing(self, link: Link) -> None:
        """Serve a Link once it can be written again: its events say so."""

    def leave_if_unused(self) -> None:
        """Tell the owner that no Link is left, if so."""
        if not self._links:
            self._on_news()

    def serve(self, link: Link, *, is_readable: bool) -> None:
        """Serve a Link that was not added: somebody else saw that it can be read, or written."""
        link.note_events(EPOLLIN if is_readable else EPOLLOUT)
        self.cork.close()
        self._serve(link)

    def step(self) -> None:
        """Serve each Link that has an event, and each that had more than its share."""
        link: Link
        queued, self._queued = self._queued, []
        self._is_stepping = True
        self.cork.close()
        try:
            self._serve_events()
            for link in queued:
                link.is_queued = False
                self._serve(link)
        finally:
            self._is_stepping = False
            self._removed.clear()

    @cython.cfunc
    def _serve_events(self) -> None:
        events = cython.declare(epoll_event[256])
        n: cython.int = epoll_wait(self.descriptor, events, _EVENTS, 0)
        i: cython.int
        link: Link
        for i in range(n):
            link = cython.cast(Link, events[i].data.ptr)
            link.note_events(events[i].events)
            self._serve(link)

    @cython.cfunc
    def _serve(self, link: Link) -> None:
        """Receive until nothing is left, it is not wanted, or others are to have a turn."""
        receives: cython.int = 0
        try:
            link.send_waiting()
            while link.can_receive():
                if receives == _RECEIVES or (receives and link.is_ending) or _is_full(link):
                    self.queue(link)  # an end waits until what came before was answered
                    return
                receives += 1
                self._receive(link)
        except Exception as error:  # noqa: BLE001 - the others are served all the same
            link.abort()
            context = {"message": "a connection has failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    @cython.cfunc
    def _receive(self, link: Link) -> None:
        """Receive once, behind what was left unread."""
        taker: Taker | None = link._taker
        unread: cython.Py_ssize_t = 0 if taker is None else taker.copy_unread(self._scratch)
        room: cython.Py_ssize_t = _SCRATCH - unread
        n: cython.Py_ssize_t = recv(link.descriptor, self._scratch + unread, room, MSG_DONTWAIT)
        if n > 0:
            if n < room and not link.is_ending:
                link.note_drained()
            if taker is None:
                link.deliver(
                    PyBytes_FromStringAndSize(cython.cast(cython.p_char, self._scratch), n)
                )
            else:
                taker.receive(self._scratch, unread + n)
        elif n == 0:
            link.end_input()
        elif errno != EINTR:
            if errno != EAGAIN:
                link.lose(errno)
            else:
                link.note_drained()


@cython.cfunc
def _is_full(link: Link) -> cython.bint:
    """Whether so much is unread, behind a message that is not answered yet, that it must wait."""
    return link._taker is not None and link._taker.unread_octets() > _SCRATCH // 2

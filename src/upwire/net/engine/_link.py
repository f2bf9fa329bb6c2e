# cython: boundscheck=False, wraparound=False, cdivision=True
"""A socket of the engine: what a `Stream` is to a WebSocket, and what a Stream can stand on.

It is registered once and edge-triggered, so whether it can be read and written is kept here.
Cython's pure Python mode; uncompiled, the file can be imported, and no Link is ever made.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.errors import LocalProtocolError, StreamError
from upwire.net.stream import CLOSE_TIMEOUT_S, WRITE_HIGH_OCTETS, Address, Sink
from upwire.net.waiting import wait_for, wake

if cython.compiled:
    from cython.cimports.libc.errno import EAGAIN, EINTR, errno
    from cython.cimports.posix.unistd import close
    from cython.cimports.upwire.net._system import (
        EPOLLERR,
        EPOLLHUP,
        EPOLLIN,
        EPOLLOUT,
        EPOLLRDHUP,
        MSG_DONTWAIT,
        MSG_MORE,
        MSG_NOSIGNAL,
        SHUT_WR,
        send,
        shutdown,
    )
    from cython.cimports.upwire.net.engine._taker import Taker
else:
    from upwire.net.engine._taker import Taker

_HIGH = cython.declare(cython.Py_ssize_t, WRITE_HIGH_OCTETS)


@cython.final
@cython.cclass
class Link:
    """One connection of an engine, with the part of Stream's interface that a WebSocket needs.

    engine: an `Engine`, whose module is above this one, or what has its methods.

    It owns its descriptor, a socket's. sink gets what a Stream's sink gets; a `Taker` gets the
    octets from the engine by itself. on_room is called where `drain()` would go on.
    """

    def __cinit__(self) -> None:
        self.descriptor = -1

    def __init__(
        self, engine: Any, descriptor: int, peer_address: Address, local_address: Address
    ) -> None:
        self.descriptor = descriptor
        self.peer_address = peer_address
        self.local_address = local_address
        self.sink: Sink | None = None
        self._taker: Taker | None = None
        self.is_eof = False
        self.is_closed = False
        self.is_ending = False
        self.is_queued = False
        self.on_room: Callable[[], None] | None = None
        self._engine = engine
        self._waiting: bytearray | None = None
        self._is_readable = True
        self._is_writable = True
        self._is_paused = False
        self._is_blocked = False
        self._is_ended = False
        self._is_end_near = False
        self._is_cut = False
        self._is_lost = False
        self._is_over = False
        self._error: OSError | None = None
        self._drainers: list[asyncio.Future[None]] | None = None
        self._closers: list[asyncio.Future[None]] | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._left_octets = 0

    def __dealloc__(self) -> None:
        self._close()

    # What the engine sees

    @cython.cfunc
    @cython.exceptval(check=False)
    def note_events(self, events: cython.uint) -> cython.void:
        """Take what epoll has to say."""
        if events & (EPOLLOUT | EPOLLHUP | EPOLLERR):
            self._is_writable = True
        if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self._is_readable = True
        if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self.is_ending = True

    @cython.cfunc
    @cython.exceptval(check=False)
    def can_receive(self) -> cython.bint:
        """Whether there is something to receive, and somebody who takes it."""
        return self._is_readable and not self._is_paused and not self.is_closed and not self.is_eof

    @cython.cfunc
    @cython.exceptval(check=False)
    def note_drained(self) -> cython.void:
        """Take that nothing is there until the next event."""
        self._is_readable = False

    @cython.cfunc
    def deliver(self, octets: bytes) -> None:
        """Hand octets to a sink that takes none by itself."""
        if self.sink is not None:
            self.sink.octets_received(octets)

    @cython.cfunc
    def end_input(self) -> None:
        """Take that the peer sends nothing more."""
        self.is_eof = True
        if self.sink is not None:
            self.sink.eof_received()

    @cython.cfunc
    def send_waiting(self) -> None:
        """Send what waits, as far as the peer takes it, and then our end if that waits too."""
        sent: cython.Py_ssize_t
        if self._waiting is None or not self._is_writable or self.descriptor < 0:
            return
        sent = self._send(self._waiting, len(self._waiting))
        if self._waiting is None:
            return  # it is lost
        if sent < len(self._waiting):
            del self._waiting[:sent]
        else:
            self._waiting = None
        if self._is_blocked and self._waiting_octets() <= _HIGH // 4:
            self._is_blocked = False
            self._wake_drainers()
            if self.on_room is not None:
                self.on_room()
        if self._waiting is None and self.descriptor >= 0:
            self._end_output()

    @cython.cfunc
    def lose(self, error_number: cython.int) -> None:
        """Take that the connection is gone."""
        self._error = OSError(error_number, os.strerror(error_number))
        self._leave()

    @property
    def is_waiting(self) -> bool:
        """Whether octets wait for the peer to take what came before them."""
        return self._waiting is not None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody takes what may be received."""
        return not self._is_paused and not self.is_closed and not self.is_eof

    def expect_input(self) -> None:
        """Take that something may be there to receive, since no event will say so."""
        self._is_readable = True

    def move_to(self, engine: Any) -> None:
        """Be served by another engine from now on."""
        self._engine.remove(self)
        self._engine = engine

    def give_up(self) -> None:
        """Leave the descriptor to somebody else."""
        self.descriptor = -1
        self.is_closed = self._is_lost = self._is_over = True

    # What a WebSocket sees

    @property
    def is_writable_now(self) -> bool:
        """Whether `drain()` would return at once."""
        return self.can_write()

    @cython.cfunc
    @cython.exceptval(check=False)
    def can_write(self) -> cython.bint:
        """Whether `drain()` would return at once."""
        return not self._is_blocked and not self.is_closed and not self._is_ended

    @property
    def write_buffer_octets(self) -> int:
        """How many octets were written and are not with the system yet."""
        return self._waiting_octets()

    @property
    def can_write_eof(self) -> bool:
        """Whether our direction can be ended alone: always."""
        return True

    def push_to(self, sink: Sink | None) -> None:
        """Tell sink from now on, None nobody, what comes of the connection."""
        self.sink = sink
        self._taker = sink if isinstance(sink, Taker) else None

    def pause(self) -> None:
        """Receive nothing until `resume()`, and tell a Taker nothing."""
        self._is_paused = True

    def resume(self) -> None:
        """Receive again."""
        self._is_paused = False
        if self._is_lost:
            self._tell_loss()
        elif self.can_receive():
            self._engine.queue(self)

    @cython.ccall
    def write(self, octets: bytes) -> None:
        """Send octets, or keep them until the peer takes them.

        On a connection that is gone they vanish. Raises LocalProtocolError behind our end.
        """
        sent: cython.Py_ssize_t = 0
        if self.is_closed:
            return
        if self._is_ended:
            raise LocalProtocolError("write after the end of our direction")
        if self._waiting is not None:
            self._waiting += octets
        else:
            sent = self._send(octets, len(octets))
            if sent == len(octets) or self.is_closed:
                return
            self._waiting = bytearray(octets[sent:])
            self._engine.watch_writing(self)
        if self._waiting_octets() > _HIGH:
            self._is_blocked = True

    async def drain(self, *, timeout_s: float | None = None, doing: str = "") -> None:
        """Wait until the peer has taken enough of what was written.

        Raises StreamError when nothing can be sent any more, or that takes more than timeout_s.
        """
        while self._is_blocked and not self.is_closed:
            waiter = asyncio.get_running_loop().create_future()
            self._drainers = self._drainers or []
            self._drainers.append(waiter)
            try:
                await wait_for(waiter, timeout_s, doing)
            finally:
                self._drainers.remove(waiter)
        if self.is_closed or self._is_ended:
            raise self._loss(doing)

    @cython.cfunc
    @cython.exceptval(check=False)
    def announce_end(self) -> cython.void:
        """Let what is written next leave in one segment with our end, which follows at once."""
        self._is_end_near = True

    def write_eof(self) -> None:
        """End our direction behind what was written; the peer's stays open."""
        if not self._is_ended and not self.is_closed:
            self._is_ended = True
            if self._waiting is None:
                self._end_output()

    def close(self) -> None:
        """Send what is left, then end both directions; what was not read is dropped.

        A peer that takes nothing of it for CLOSE_TIMEOUT_S is cut.
        """
        if not self.is_closed:
            self._cut()
            if self._waiting is None:
                self._leave()
            else:
                self._bound_close()

    def abort(self) -> None:
        """End both directions at once; what was not sent or not read is dropped."""
        if not self._is_lost:
            self._cut()
            self._leave()

    async def wait_closed(self) -> None:
        """Wait until the connection is gone."""
        if not self._is_over:
            waiter = asyncio.get_running_loop().create_future()
            self._closers = self._closers or []
            self._closers.append(waiter)
            try:
                await waiter
            finally:
                self._closers.remove(waiter)

    # Sending

    @cython.cfunc
    @cython.exceptval(check=False)
    def _waiting_octets(self) -> cython.Py_ssize_t:
        return 0 if self._waiting is None else len(self._waiting)

    @cython.cfunc
    def _send(self, octets: cython.p_const_uchar, n: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Return how many octets the system took; less than n where it takes no more now."""
        sent: cython.Py_ssize_t = 0
        flags: cython.int = MSG_DONTWAIT | MSG_NOSIGNAL
        if not self._is_writable:
            return 0
        if self._is_end_near:
            flags |= MSG_MORE
        while True:
            sent = send(self.descriptor, octets, n, flags)
            if sent >= 0 or errno != EINTR:
                break
        if sent == n:
            return n
        self._is_writable = False
        if sent < 0:
            if errno != EAGAIN:
                self.lose(errno)
            return 0
        return sent

    @cython.cfunc
    def _end_output(self) -> None:
        if self._is_cut:
            self._leave()
        elif self._is_ended:
            shutdown(self.descriptor, SHUT_WR)  # where it is reset, receiving tells

    # The end

    @cython.cfunc
    def _cut(self) -> None:
        self._is_cut = self.is_closed = True
        self._wake_drainers()

    def _bound_close(self) -> None:
        """Cut the connection unless the peer keeps taking what is left."""
        self._left_octets = self._waiting_octets()
        loop = asyncio.get_running_loop()
        self._close_timer = loop.call_later(CLOSE_TIMEOUT_S, self._look_at_close)

    def _look_at_close(self) -> None:
        if self._waiting_octets() < self._left_octets:
            self._bound_close()
        else:
            self.abort()

    @cython.cfunc
    def _leave(self) -> None:
        """Give up the socket, and tell so in the next turn of the loop."""
        if self._is_lost:
            return
        self._is_lost = self.is_closed = True
        self._waiting = None
        self._engine.remove(self)
        self._close()
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._is_over = True
        self._wake_drainers()
        for waiter in self._closers or ():
            wake(waiter)
        self._tell_loss()
        self._engine.leave_if_unused()

    @cython.cfunc
    def _tell_loss(self) -> None:
        """Tell the sink, once, that the connection is gone; why, unless we closed it."""
        is_held: cython.bint = self._is_paused and self._taker is not None
        if self.sink is not None and self._is_over and not is_held:
            sink, self.sink, self._taker = self.sink, None, None
            sink.stream_lost(None if self._error is None else self._loss(""))

    def _loss(self, doing: str) -> StreamError:
        """Say why nothing more can be received or sent."""
        if self._is_cut:
            message = "connection is closed"
        elif self._error is not None:
            message = self._error.strerror or str(self._error)
        else:
            message = "connection was ended by the peer"
        error = StreamError(message, doing=doing)
        error.__cause__ = self._error
        return error

    @cython.cfunc
    def _wake_drainers(self) -> None:
        for waiter in self._drainers or ():
            wake(waiter)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _close(self) -> cython.void:
        if self.descriptor >= 0:
            close(self.descriptor)
            self.descriptor = -1

# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tunnel engine: carries octets between sockets, all tunnels of a loop in one call.

It has an epoll descriptor of its own, which the loop watches. Each socket is registered once and
edge-triggered, so that its state is kept here; one scratch buffer serves all, and a connection
owns a buffer only while it does not take what is for it, during which its peer is not read.
Everything runs without the GIL, and Python hears of a tunnel only when something is to be decided.

Over TLS a session stands between a connection's octets, which are records then, and the content
that is counted and passed on.

Cython's pure Python mode; uncompiled, the file can be imported and the engine is not available.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import os

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

if cython.compiled:
    from cython.cimports.libc.errno import EAGAIN, ECONNRESET, EINTR, ENOBUFS, ENOMEM, EPROTO, errno
    from cython.cimports.libc.stdlib import free, malloc, realloc
    from cython.cimports.libc.string import memcpy
    from cython.cimports.posix.time import CLOCK_MONOTONIC, clock_gettime, timespec
    from cython.cimports.posix.unistd import close
    from cython.cimports.upwire.net._system import (
        EPOLL_CLOEXEC,
        EPOLL_CTL_ADD,
        EPOLL_CTL_DEL,
        EPOLLERR,
        EPOLLET,
        EPOLLHUP,
        EPOLLIN,
        EPOLLOUT,
        EPOLLRDHUP,
        MSG_DONTWAIT,
        MSG_NOSIGNAL,
        SHUT_WR,
        epoll_create1,
        epoll_ctl,
        epoll_event,
        epoll_wait,
        recv,
        send,
        shutdown,
    )
    from cython.cimports.upwire.net.tls._session import Session
    from cython.cimports.upwire.wire._frame_counter import FrameCounter
else:
    from upwire.net.tls._session import Session
    from upwire.wire._frame_counter import FrameCounter

SCRATCH_OCTETS = 256 * 1024
"""The most that one receive takes, and that waits for a connection which takes nothing.

Messages of 256 KiB cost 1.4 times as much with 64 KiB, and 1.1 times with 128 KiB.
"""

_SCRATCH = cython.declare(cython.Py_ssize_t, SCRATCH_OCTETS)
_HELD = cython.declare(cython.Py_ssize_t, 16)  # room in front for a header that is incomplete
_RECORDS = cython.declare(cython.Py_ssize_t, SCRATCH_OCTETS + 2 * (16384 + 256))
_RECEIVED = cython.declare(cython.Py_ssize_t, SCRATCH_OCTETS - 2 * (16384 + 256))
_EVENTS = cython.declare(cython.int, 256)
_SPIN_LIMIT_S = cython.declare(cython.double, 0.01)  # after which the loop has its turn
_RECEIVES = cython.declare(cython.int, 2)  # of a connection in a turn, while others wait


def is_available() -> bool:
    """Whether the engine can be used: it is compiled code, and Linux's."""
    return bool(cython.compiled)


@cython.final
@cython.cclass
class Connection:
    """One of the two connections of a tunnel, with what waits to be sent to it.

    It owns its descriptor, a non-blocking socket's.

    counter: of what comes from it.
    owner: whatever the caller finds it by.
    has_ended: it sends nothing more; is_done: and all that it sent was passed on, the end as well.
    has_ended_first, has_closed_first: its end, or a Close from it, came before the peer's.
    is_truncated: its end came without the alert that TLS has for it.
    session: its TLS, None in the clear.
    error_number: why it was lost; 0 while it was not. EPROTO: its TLS failed.
    moved_at_s: when it last gave or took an octet, on the clock of `Engine.step()`.
    """

    counter = cython.declare(FrameCounter, visibility="readonly")
    owner = cython.declare(object, visibility="readonly")
    has_ended = cython.declare(cython.uchar, visibility="readonly")
    is_done = cython.declare(cython.uchar, visibility="readonly")
    has_ended_first = cython.declare(cython.uchar, visibility="readonly")
    has_closed_first = cython.declare(cython.uchar, visibility="readonly")
    is_truncated = cython.declare(cython.uchar, visibility="readonly")
    session = cython.declare(Session, visibility="readonly")
    error_number = cython.declare(cython.int, visibility="readonly")
    moved_at_s = cython.declare(cython.double, visibility="readonly")
    _descriptor: cython.int
    _peer: Connection
    _is_readable: cython.uchar  # until a receive says otherwise
    _is_writable: cython.uchar
    _is_ending: cython.uchar  # its end was announced: a short read is not the last
    _is_hung_up: cython.uchar  # neither direction is open any more
    _is_closed: cython.uchar  # a Close of ours was the last that it gets
    _is_closing: cython.uchar  # such a Close is among _inserts, or the peer has ended
    _is_noted: cython.uchar
    _is_ready: cython.uchar
    _held_octets: cython.uchar
    _held: cython.uchar[15]  # that came from it: a header that is incomplete
    _next_noted: cython.p_void
    _next_ready: cython.p_void
    _waiting: cython.p_uchar  # to be sent to it
    _waiting_at: cython.Py_ssize_t
    _waiting_octets: cython.Py_ssize_t
    _inserts: cython.p_uchar  # frames of ours, to be sent to it at the end of the one under way
    _inserts_octets: cython.uint

    def __cinit__(self) -> None:
        self._descriptor = -1

    def __init__(self, descriptor: int, counter: FrameCounter, owner: object) -> None:
        self._descriptor = descriptor
        self.counter = counter
        self.owner = owner
        self._is_writable = True

    def __dealloc__(self) -> None:
        free(self._waiting)
        free(self._inserts)
        self._close()

    @property
    def waiting_octets(self) -> int:
        """How many octets it has not taken yet."""
        return self._waiting_octets

    def secure(self, session: Session) -> None:
        """Take what comes for records of a session, and send records; before the first octet."""
        self.session = session

    def take_waiting(self) -> tuple[int, bytes]:
        """Return a duplicate of its descriptor, and the octets for it, which wait no more.

        Raises OSError where the system has no descriptor left.
        """
        duplicate = os.dup(self._descriptor)
        first: cython.p_uchar = self._waiting + self._waiting_at
        waiting: bytes = first[: self._waiting_octets]
        self._took(self._waiting_octets)
        return duplicate, waiting

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _note_events(self, events: cython.uint) -> cython.void:
        if events & (EPOLLOUT | EPOLLHUP | EPOLLERR):
            self._is_writable = True
        if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self._is_readable = True
        if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self._is_ending = True
        if events & EPOLLHUP:
            self._is_hung_up = True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _keep(self, octets: cython.p_const_uchar, n: cython.Py_ssize_t) -> cython.bint:
        """Append octets to those that wait; False where there is no memory."""
        size: cython.Py_ssize_t = self._waiting_at + self._waiting_octets
        room: cython.p_void = realloc(self._waiting, size + n)
        if room == cython.NULL:
            return False
        self._waiting = cython.cast(cython.p_uchar, room)
        memcpy(self._waiting + size, octets, n)
        self._waiting_octets += n
        return True

    @cython.cfunc
    def _append_insert(self, frame: cython.p_const_uchar, n: cython.Py_ssize_t) -> None:
        room: cython.p_void = realloc(self._inserts, self._inserts_octets + n)
        if room == cython.NULL:
            raise MemoryError
        self._inserts = cython.cast(cython.p_uchar, room)
        memcpy(self._inserts + self._inserts_octets, frame, n)
        self._inserts_octets += n

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close(self) -> cython.void:
        if self._descriptor >= 0:
            close(self._descriptor)
            self._descriptor = -1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _took(self, n: cython.Py_ssize_t) -> cython.void:
        """Forget n of the octets that waited, and their buffer with the last."""
        self._waiting_at += n
        self._waiting_octets -= n
        if self._waiting_octets == 0:
            free(self._waiting)
            self._waiting = cython.NULL
            self._waiting_at = 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _clock_s() -> cython.double:
    now = cython.declare(timespec)
    clock_gettime(CLOCK_MONOTONIC, cython.address(now))
    return now.tv_sec + now.tv_nsec * 1e-9


@cython.final
@cython.cclass
class Engine:
    """The tunnels of one loop. Its calls come from one thread.

    descriptor: becomes readable when `step()` has something to do.
    spin_s: how long a step watches for another event after it has served one.
    """

    descriptor = cython.declare(cython.int, visibility="readonly")
    spin_s = cython.declare(cython.double, visibility="public")
    _tunnels: dict[Connection, object]  # one of each, which refers to the other, and None
    _removed: list[Connection]  # they may stand on a list until the next step is over
    _scratch: cython.p_uchar  # content
    _records: cython.p_uchar  # as they came, or as they will go
    _first_ready: cython.p_void
    _last_ready: cython.p_void
    _noted: cython.p_void
    _now_s: cython.double

    def __cinit__(self) -> None:
        self.descriptor = -1

    def __init__(self) -> None:
        self._tunnels = {}
        self._removed = []
        self._scratch = cython.cast(cython.p_uchar, malloc(_HELD + _SCRATCH))
        self._records = cython.cast(cython.p_uchar, malloc(_RECORDS))
        if self._scratch == cython.NULL or self._records == cython.NULL:
            raise MemoryError
        self.descriptor = epoll_create1(EPOLL_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self) -> None:
        free(self._scratch)
        free(self._records)
        self.close()

    def __len__(self) -> int:
        return len(self._tunnels)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        """Close the descriptor; a step does nothing any more. A second time it does nothing."""
        if self.descriptor >= 0:
            close(self.descriptor)
            self.descriptor = -1

    @property
    def is_busy(self) -> bool:
        """Whether `step()` has something to do, whatever the descriptor says."""
        return self._first_ready != cython.NULL or self._noted != cython.NULL

    def add(self, one: Connection, two: Connection, *, now_s: float) -> None:
        """Begin a tunnel between two connections. Raises OSError, and then has begun nothing."""
        one._peer = two
        two._peer = one
        one.moved_at_s = two.moved_at_s = now_s
        self._tunnels[one] = None
        try:
            self._register(one)
            self._register(two)
        except OSError:
            self.remove(one)
            raise

    def remove(self, one: Connection) -> None:
        """End the tunnel that was begun with a connection, and close both. Twice does nothing."""
        if one not in self._tunnels:
            return
        del self._tunnels[one]
        for connection in (one, one._peer):
            # close() does not do so: a duplicate of the descriptor keeps the registration alive
            epoll_ctl(self.descriptor, EPOLL_CTL_DEL, connection._descriptor, cython.NULL)
            self._removed.append(connection)
            connection._peer = None  # type: ignore[assignment]  # only of one that is removed
            connection.owner = None
            connection._took(connection._waiting_octets)
            connection._close()

    def give(self, target: Connection, octets: bytes) -> None:
        """Pass on to target what came from its peer before `add()`."""
        self._pass(target._peer, target, octets, len(octets))

    def give_records(self, source: Connection, records: bytes) -> None:
        """Pass on what a source sent before `add()` and was not decrypted yet, these the last."""
        if source.session is None:
            return
        self._decrypt(source, source._peer)
        if source.session.feed(records, len(records)):
            self._decrypt(source, source._peer)
        else:
            self._lose(source, ENOMEM)

    def end(self, target: Connection) -> None:
        """Say that nothing follows, where TLS has an alert for that and target has not got it."""
        if not target.error_number and target._peer is not None:
            self._end_records(target)

    def insert(self, target: Connection, frame: bytes, *, is_last: bool) -> None:
        """Send a frame of ours to target, behind the frame that is under way.

        is_last: nothing may follow it; what comes from the peer is received and dropped.
        """
        if target._is_closing or target._peer is None:
            return
        target._append_insert(frame, len(frame))
        target._is_closing = is_last
        if target._peer.counter.remaining == 0:
            self._send_inserts(target)

    def step(self, now_s: float) -> list[Connection]:
        """Move what can be moved, and return the connections of which there is news.

        now_s: the time, on the caller's clock.
        """
        self._now_s = now_s
        with cython.nogil:
            self._turn()
        told: list[Connection] = []
        while self._noted != cython.NULL:
            connection: Connection = cython.cast(Connection, self._noted)
            self._noted = connection._next_noted
            connection._is_noted = False
            if connection._peer is not None:
                told.append(connection)
        self._removed.clear()
        return told

    @cython.cfunc
    def _register(self, connection: Connection) -> None:
        event = cython.declare(epoll_event)
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
        event.data.ptr = cython.cast(cython.p_void, connection)
        if epoll_ctl(self.descriptor, EPOLL_CTL_ADD, connection._descriptor, cython.address(event)):
            raise OSError(errno, os.strerror(errno))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _turn(self) -> cython.void:
        """Serve each connection that has an event, and each that had more than its share.

        What comes meanwhile is served too, up to a bound: a turn of the loop costs as much as
        some messages, and to sleep and to be woken costs as much as many.
        """
        ready: cython.p_void = self._first_ready
        following: cython.p_void
        served: cython.int = 0
        n: cython.int = 1
        quiet_at_s: cython.double = 0
        now_s: cython.double = _clock_s() if self.spin_s else 0
        limit_at_s: cython.double = now_s + _SPIN_LIMIT_S
        self._first_ready = self._last_ready = cython.NULL
        while served < _EVENTS and (n > 0 or now_s < quiet_at_s):
            n = self._serve_events()
            served += n
            if self.spin_s and ready == cython.NULL:
                now_s = _clock_s()
                if n > 0:
                    quiet_at_s = min(now_s + self.spin_s, limit_at_s)
        while ready != cython.NULL:
            following = cython.cast(Connection, ready)._next_ready
            cython.cast(Connection, ready)._is_ready = False
            self._serve(cython.cast(Connection, ready))
            ready = following

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _serve_events(self) -> cython.int:
        """Serve each connection that has an event; return how many there were."""
        events = cython.declare(epoll_event[256])
        n: cython.int = epoll_wait(self.descriptor, events, _EVENTS, 0)
        i: cython.int
        for i in range(n):
            cython.cast(Connection, events[i].data.ptr)._note_events(events[i].events)
            self._serve(cython.cast(Connection, events[i].data.ptr))
        return n

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _serve(self, connection: Connection) -> cython.void:
        """Move what has come from a connection, and what it now takes."""
        if connection._peer is None or connection.error_number or connection._peer.error_number:
            return
        if connection._is_readable:
            self._carry(connection, connection._peer)
        if connection._waiting_octets and connection._is_writable:
            self._carry(connection._peer, connection)
        if connection._is_hung_up and connection.has_ended and not connection._peer.has_ended:
            self._lose(connection, ECONNRESET)  # receiving gives no error behind an end

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _carry(self, source: Connection, target: Connection) -> cython.void:
        """Move octets until none are left, target takes no more, or others are to have a turn."""
        receives: cython.int = 0
        if not self._send_waiting(target):
            return
        while source._is_readable and not target._waiting_octets and not target.error_number:
            if receives == _RECEIVES:
                self._queue(source)
                return
            receives += 1
            self._receive(source, target)
        if target.error_number and not source.error_number:
            target._is_readable = True  # what it sent before it was lost may have come
            self._carry(target, source)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _receive(self, source: Connection, target: Connection) -> cython.void:
        """Receive once, and pass that on."""
        room: cython.p_uchar = self._scratch + _HELD
        limit: cython.Py_ssize_t = _SCRATCH
        n: cython.Py_ssize_t
        if source.session is not None:
            room = self._records
            limit = _RECEIVED
        n = recv(source._descriptor, room, limit, MSG_DONTWAIT)
        if n > 0:
            source.moved_at_s = self._now_s
            source._is_readable = n == limit or source._is_ending
            if source.session is None:
                self._take(source, target, n)
            elif source.session.feed(room, n):
                self._decrypt(source, target)
            else:
                self._lose(source, ENOMEM)
        elif n == 0:
            source._is_readable = False
            if not source.error_number:
                if source.session is not None and not source.has_ended:
                    source.is_truncated = True
                self._end(source, target)
        elif errno != EINTR:
            source._is_readable = False
            if errno != EAGAIN:
                self._lose(source, errno)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _decrypt(self, source: Connection, target: Connection) -> cython.void:
        """Pass on the content of what its session was fed with; answer what is TLS's own."""
        n: cython.Py_ssize_t
        while source.session.has_input():
            n = source.session.decrypt(self._scratch + _HELD, _SCRATCH)
            if n > 0:
                self._take(source, target, n)
        self._give_output(source)
        if source.session.has_failed:
            self._lose(source, EPROTO)
        elif source.session.has_ended and not source.has_ended:
            self._end(source, target)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _take(self, source: Connection, target: Connection, n: cython.Py_ssize_t) -> cython.void:
        """Pass on what is held of the source, and n octets in the scratch."""
        first: cython.p_uchar = self._scratch + _HELD - source._held_octets
        memcpy(first, source._held, source._held_octets)
        n += source._held_octets
        source._held_octets = 0
        self._pass(source, target, first, n)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _pass(
        self,
        source: Connection,
        target: Connection,
        octets: cython.p_const_uchar,
        n: cython.Py_ssize_t,
    ) -> cython.void:
        """Count octets, send those that may go on, and our own frames where one has ended."""
        passed: cython.Py_ssize_t = 0
        if target._inserts_octets:
            passed = source.counter.finish_frame(n)
            self._give(target, octets, passed)
            if source.counter.remaining:
                return
            self._send_inserts(target)
        if target._is_closed or source.counter.is_over_limit:
            return
        octets += passed
        n -= passed
        passed = source.counter.scan(octets, n)
        if source.counter._close_code >= 0 and target.counter._close_code < 0:
            source.has_closed_first = True
        self._give(target, octets, passed)
        if source.counter.is_over_limit:
            self._note(source)
        else:
            source._held_octets = n - passed
            memcpy(source._held, octets + passed, n - passed)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _end(self, source: Connection, target: Connection) -> cython.void:
        """Note that the source has ended, and let half a header go."""
        source.has_ended = True
        if not target.has_ended:
            source.has_ended_first = True
        target._is_closing = True
        if source._held_octets and not target._is_closed:
            source.counter.octets += source._held_octets
            self._give(target, source._held, source._held_octets)
            source._held_octets = 0
        self._note_done(source, target)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _note_done(self, source: Connection, target: Connection) -> cython.void:
        if source.has_ended and not source.is_done and not target._waiting_octets:
            source.is_done = True
            if target.session is None:
                shutdown(target._descriptor, SHUT_WR)  # of one that is lost it fails, and may
            else:
                self._end_records(target)
            self._note(source)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _send_inserts(self, target: Connection) -> cython.void:
        self._give(target, target._inserts, target._inserts_octets)
        free(target._inserts)
        target._inserts = cython.NULL
        target._inserts_octets = 0
        target._is_closed = target._is_closing

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _give(
        self, target: Connection, octets: cython.p_const_uchar, n: cython.Py_ssize_t
    ) -> cython.void:
        """Send octets, over TLS their records, and keep those that target does not take now."""
        filled: cython.Py_ssize_t
        if target.session is None:
            self._give_octets(target, octets, n)
            return
        while n > 0 and not target.error_number:
            filled = target.session.encrypt(octets, n, self._records, _RECORDS)
            octets += target.session.taken_octets
            n -= target.session.taken_octets
            self._give_octets(target, self._records, filled)
            if target.session.has_failed:
                self._lose(target, EPROTO)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _give_output(self, connection: Connection) -> cython.void:
        """Send what its session has to say beside content, unless it takes nothing of that."""
        n: cython.Py_ssize_t = connection.session.take_output(self._records, _RECORDS)
        while n > 0:
            self._give_octets(connection, self._records, n)
            if connection._waiting_octets > 2 * _RECORDS:
                self._lose(connection, ENOBUFS)
            n = connection.session.take_output(self._records, _RECORDS)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _end_records(self, target: Connection) -> cython.void:
        if target.session is not None:
            target.session.end()
            self._give_output(target)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _give_octets(
        self, target: Connection, octets: cython.p_const_uchar, n: cython.Py_ssize_t
    ) -> cython.void:
        sent: cython.Py_ssize_t = 0
        if not target._waiting_octets:
            sent = self._send(target, octets, n)
        if sent < n and not target.error_number and not target._keep(octets + sent, n - sent):
            self._lose(target, ENOMEM)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _send_waiting(self, target: Connection) -> cython.bint:
        """Send what waits for target; return whether nothing is left."""
        sent: cython.Py_ssize_t
        if target._waiting_octets:
            sent = self._send(target, target._waiting + target._waiting_at, target._waiting_octets)
            if sent:
                target.moved_at_s = self._now_s
                target._took(sent)
            if target._waiting_octets:
                return False
            self._note_done(target._peer, target)
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _send(
        self, target: Connection, octets: cython.p_const_uchar, n: cython.Py_ssize_t
    ) -> cython.Py_ssize_t:
        """Return how many octets target took; less than n where it takes no more, or is lost."""
        sent: cython.Py_ssize_t = 0
        if n == 0 or not target._is_writable or target.error_number:
            return 0
        while True:
            sent = send(target._descriptor, octets, n, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent >= 0 or errno != EINTR:
                break
        if sent == n:
            return n
        target._is_writable = False
        if sent < 0:
            if errno != EAGAIN:
                self._lose(target, errno)
            return 0
        return sent

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _lose(self, connection: Connection, error_number: cython.int) -> cython.void:
        if not connection.error_number:
            connection.error_number = error_number
            self._note(connection)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _note(self, connection: Connection) -> cython.void:
        """Put a connection on the list of those of which there is news."""
        if not connection._is_noted:
            connection._is_noted = True
            connection._next_noted = self._noted
            self._noted = cython.cast(cython.p_void, connection)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _queue(self, connection: Connection) -> cython.void:
        """Put a connection at the end of those that go on in the next turn."""
        if connection._is_ready:
            return
        connection._is_ready = True
        connection._next_ready = cython.NULL
        if self._first_ready == cython.NULL:
            self._first_ready = cython.cast(cython.p_void, connection)
        else:
            cython.cast(Connection, self._last_ready)._next_ready = cython.cast(
                cython.p_void, connection
            )
        self._last_ready = cython.cast(cython.p_void, connection)

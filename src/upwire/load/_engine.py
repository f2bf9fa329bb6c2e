# cython: boundscheck=False, wraparound=False, cdivision=True
"""The loop of the load generator: sends one prepared frame, checks every echo, takes the time.

Compiled, it makes its system calls itself and without the GIL; uncompiled, or over TLS, Python's
socket objects make them, slower. What each connection has done stands in arrays that both read.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import select
import socket
import ssl
import time
from array import array
from collections.abc import Sequence

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

if cython.compiled:
    from cython.cimports.libc.errno import EAGAIN, EINTR, errno
    from cython.cimports.libc.string import memcmp
    from cython.cimports.posix.time import CLOCK_MONOTONIC, clock_gettime, timespec
    from cython.cimports.upwire.load._system import (
        MSG_NOSIGNAL,
        epoll_event,
        epoll_wait,
        recv,
        send,
    )

UNLIMITED = 1 << 62
BUCKETS = 1920

_SCRATCH_OCTETS = cython.declare(cython.int, 256 * 1024)
_SEND_OCTETS = cython.declare(cython.int, 64 * 1024)  # of copies of the frame, at most, or one
_EVENTS = cython.declare(cython.int, 512)
_EVENT_OCTETS = cython.declare(cython.int, 16)  # at least; epoll_event has 12 or 16
_CONTROL_OCTETS = cython.declare(cython.int, 2 + 125)  # RFC 6455 §5.5
_PONG_OCTETS = cython.declare(cython.int, _CONTROL_OCTETS + 4)
_PEER_ENDED = cython.declare(cython.uint, select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR)
_NS_PER_S = cython.declare(cython.longlong, 1_000_000_000)
_NS_PER_MS = cython.declare(cython.longlong, 1_000_000)

_AGAIN = cython.declare(cython.Py_ssize_t, -1)
_LOST = cython.declare(cython.Py_ssize_t, -2)


def is_compiled() -> bool:
    """Whether this module runs as compiled code."""
    return bool(cython.compiled)


@cython.ccall
@cython.nogil
@cython.exceptval(check=False)
def bucket_of(value: cython.ulonglong) -> cython.int:
    """Return the bucket of a histogram that counts a value: 32 of equal width for each doubling."""
    shift: cython.int = 0
    while value >> shift >= 64:
        shift += 1
    return shift * 32 + (value >> shift)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _now_ns() -> cython.longlong:
    if cython.compiled:
        now = cython.declare(timespec)
        clock_gettime(CLOCK_MONOTONIC, cython.address(now))
        return now.tv_sec * _NS_PER_S + now.tv_nsec
    else:
        return time.monotonic_ns()


@cython.final
@cython.cclass
class Engine:
    """Keeps messages in flight on connections whose opening handshake is over.

    frame is sent, echo is what must come back for it: the whole frame, opcode, length and
    payload; control frames may stand between echoes, and pings are answered. An echo in
    fragments counts as wrong. in_flight: how many frames a connection has under way; 0 makes an
    answering machine, which sends a frame for each echo that it got. rate_per_s: of all
    connections together, 0 as fast as they go; a latency then begins when the message was due,
    so that a server that stalls is charged for what it held up.

    messages, octets (both directions), wrong (connections with an echo that differs),
    lost (connections ended by the peer, or cut) and buckets count since restart().
    """

    messages = cython.declare(cython.ulonglong, visibility="readonly")
    octets = cython.declare(cython.ulonglong, visibility="readonly")
    wrong = cython.declare(cython.ulonglong, visibility="readonly")
    lost = cython.declare(cython.ulonglong, visibility="readonly")
    connections = cython.declare(cython.int, visibility="readonly")
    highest_ns = cython.declare(cython.longlong, visibility="readonly")
    total_ns = cython.declare(cython.ulonglong, visibility="readonly")
    _uses_sockets: cython.bint
    _frame_octets: cython.Py_ssize_t
    _echo_octets: cython.Py_ssize_t
    _frames: cython.uchar[::1]
    _frames_octets: cython.Py_ssize_t
    _echo: cython.uchar[::1]
    _scratch: cython.uchar[::1]
    _in_flight: cython.int
    _count: cython.int
    _allowed: cython.longlong
    _outstanding: cython.longlong
    _interval_ps: cython.longlong  # picoseconds: rates need not divide a second
    _start_ns: cython.longlong
    _next: cython.longlong
    _buckets: cython.ulonglong[::1]
    _sockets: list[socket.socket]
    _epoll: select.epoll
    _epoll_descriptor: cython.int
    _events: cython.uchar[::1]
    _ready: list[tuple[int, int]]
    _index: cython.int[::1]
    _descriptor: cython.int[::1]
    _is_open: cython.uchar[::1]
    _sent: cython.longlong[::1]
    _received: cython.longlong[::1]
    _sent_ns: cython.longlong[::1]
    _backlog: cython.Py_ssize_t[::1]
    _frame_at: cython.Py_ssize_t[::1]
    _echo_at: cython.Py_ssize_t[::1]
    _control: cython.uchar[::1]
    _control_at: cython.int[::1]
    _pong: cython.uchar[::1]
    _pong_size: cython.int[::1]
    _pong_at: cython.int[::1]

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        frame: bytes,
        echo: bytes,
        *,
        in_flight: int = 1,
        rate_per_s: float = 0.0,
    ) -> None:
        self._sockets = list(sockets)
        self._count = len(sockets)
        self.connections = self._count
        self._in_flight = in_flight
        self._interval_ps = int(1e12 / rate_per_s) if rate_per_s else 0
        self._start_ns = 0
        self._next = 0
        self._allowed = UNLIMITED
        self._outstanding = 0
        self._uses_sockets = not cython.compiled or any(
            isinstance(one, ssl.SSLSocket) for one in sockets
        )
        self._frame_octets = len(frame)
        self._echo_octets = len(echo)
        self._frames = bytearray(frame * max(_SEND_OCTETS // len(frame), 1))
        self._frames_octets = len(self._frames)
        self._echo = bytearray(echo)
        self._scratch = bytearray(_SCRATCH_OCTETS)
        self._allocate(self._count, max(in_flight, 1))
        self._register(sockets)
        self.restart()

    @cython.cfunc
    def _allocate(self, count: cython.int, in_flight: cython.int) -> cython.void:
        """Make the arrays: an element a connection, but where something of it has a size."""
        self._is_open = bytearray(b"\1" * count)
        self._sent = array("q", bytes(8 * count))
        self._received = array("q", bytes(8 * count))
        self._sent_ns = array("q", bytes(8 * count * in_flight))
        self._backlog = array("q", bytes(8 * count))
        self._frame_at = array("q", bytes(8 * count))
        self._echo_at = array("q", bytes(8 * count))
        self._control = bytearray(count * _CONTROL_OCTETS)
        self._control_at = array("i", bytes(4 * count))
        self._pong = bytearray(count * _PONG_OCTETS)
        self._pong_size = array("i", bytes(4 * count))
        self._pong_at = array("i", bytes(4 * count))

    def _register(self, sockets: Sequence[socket.socket]) -> None:
        descriptors = [one.fileno() for one in sockets]
        self._descriptor = array("i", descriptors)
        self._index = array("i", bytes(4 * (max(descriptors, default=0) + 1)))
        self._events = bytearray(_EVENTS * _EVENT_OCTETS)
        self._ready = []
        self._epoll = select.epoll()
        self._epoll_descriptor = self._epoll.fileno()
        wanted = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        for index, one in enumerate(sockets):
            one.setblocking(False)
            self._index[descriptors[index]] = index
            self._epoll.register(one, wanted)

    def restart(self) -> None:
        """Count from zero, as after a warm-up. What is in flight stays so."""
        self.messages = 0
        self.octets = 0
        self.wrong = 0
        self.lost = 0
        self.highest_ns = 0
        self.total_ns = 0
        self._buckets = array("Q", bytes(8 * BUCKETS))

    def allow(self, messages: int) -> None:
        """Send only so many more; at first there is no limit."""
        self._allowed = messages

    def close(self) -> None:
        """Let go of the epoll descriptor. The sockets stay their owner's."""
        self._epoll.close()

    @property
    def buckets(self) -> list[int]:
        """How many latencies, in nanoseconds, fell into each bucket: see bucket_of()."""
        return [self._buckets[index] for index in range(BUCKETS)]

    @property
    def outstanding(self) -> int:
        """How many echoes of open connections are still to come."""
        return self._outstanding

    @property
    def at_rest(self) -> list[int]:
        """The connections that are open and between two frames in both directions."""
        return [
            index
            for index in range(self._count)
            if self._is_open[index]
            and not (self._backlog[index] or self._frame_at[index] or self._pong_size[index])
        ]

    def receive(self, index: int, octets: bytes) -> None:
        """Take octets that a connection's reader got already, such as behind the handshake."""
        at: cython.Py_ssize_t
        for at in range(len(octets)):
            self._scratch[at] = octets[at]
        self._take(index, len(octets), _now_ns())

    def run(self, seconds: float) -> bool:
        """Drive the connections for so long; return False once nothing is left to do.

        That is: no connection is open, or no message may be sent and no echo is to come. 0 seconds
        serve what is ready now.
        """
        until_ns: cython.longlong = _now_ns() + int(seconds * _NS_PER_S)
        with cython.nogil:
            self._drive(until_ns)
        return self._has_work()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _has_work(self) -> cython.bint:
        return self.connections > 0 and (
            self._allowed > 0 or self._outstanding > 0 or self._in_flight == 0
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _drive(self, until_ns: cython.longlong) -> cython.void:
        index: cython.int
        ready: cython.int
        now_ns: cython.longlong = _now_ns()
        if self._start_ns == 0:
            self._start_ns = now_ns
        for index in range(self._count):
            self._top_up(index, now_ns)
        while self._has_work():
            ready = self._poll(self._timeout_ms(now_ns, until_ns))
            for index in range(ready):
                self._serve(index)
            now_ns = _now_ns()
            if self._interval_ps > 0:
                self._send_due(now_ns)
            if now_ns >= until_ns:
                break

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _timeout_ms(self, now_ns: cython.longlong, until_ns: cython.longlong) -> cython.int:
        """Return how long epoll may wait. Before a message is due the last millisecond is spun."""
        if self._interval_ps > 0 and self._allowed > 0:
            due_ns: cython.longlong = self._due_ns(self._next)
            if due_ns <= until_ns:
                return max(due_ns - now_ns, 0) // _NS_PER_MS
        return (max(until_ns - now_ns, 0) + _NS_PER_MS - 1) // _NS_PER_MS

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _poll(self, timeout_ms: cython.int) -> cython.int:
        """Wait for events; return how many there are, which is 0 after a signal."""
        if cython.compiled:
            events = cython.cast(cython.pointer(epoll_event), cython.address(self._events[0]))
            return max(epoll_wait(self._epoll_descriptor, events, _EVENTS, timeout_ms), 0)
        else:
            self._ready = self._epoll.poll(timeout_ms / 1000, _EVENTS)
            return len(self._ready)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _serve(self, event: cython.int) -> cython.void:
        """Do what a connection is ready for: send what was held up, read, answer echoes."""
        descriptor: cython.int
        mask: cython.uint
        if cython.compiled:
            events = cython.cast(cython.pointer(epoll_event), cython.address(self._events[0]))
            descriptor = events[event].data.fd
            mask = events[event].events
        else:
            descriptor, mask = self._ready[event]
        index: cython.int = self._index[descriptor]
        size: cython.Py_ssize_t = _SCRATCH_OCTETS
        now_ns: cython.longlong
        if self._is_open[index]:
            self._flush(index)
        # A short read has drained the socket, but an end that was announced stands behind it.
        while self._is_open[index] and (
            size == _SCRATCH_OCTETS or mask & _PEER_ENDED or self._uses_sockets
        ):
            size = self._receive(index)
            if size == _AGAIN:
                break
            if size == _LOST:
                self._lose(index)
                break
            now_ns = _now_ns()
            self._take(index, size, now_ns)
            self._top_up(index, now_ns)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _take(
        self, index: cython.int, size: cython.Py_ssize_t, now_ns: cython.longlong
    ) -> cython.void:
        """Compare what came with what must come, and count the echoes that it completes."""
        at: cython.Py_ssize_t = 0
        part: cython.Py_ssize_t
        self.octets += size
        while at < size and self._is_open[index]:
            if self._control_at[index] or (
                self._echo_at[index] == 0 and self._scratch[at] & 0x88 == 0x88
            ):
                self._take_control(index, self._scratch[at])
                at += 1
                continue
            part = min(size - at, self._echo_octets - self._echo_at[index])
            if not self._is_echo(at, self._echo_at[index], part):
                self._refuse(index)
                return
            at += part
            self._echo_at[index] += part
            if self._echo_at[index] == self._echo_octets:
                self._echo_at[index] = 0
                self._complete(index, now_ns)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_echo(
        self, at: cython.Py_ssize_t, echo_at: cython.Py_ssize_t, size: cython.Py_ssize_t
    ) -> cython.bint:
        if cython.compiled:
            return (
                memcmp(cython.address(self._scratch[at]), cython.address(self._echo[echo_at]), size)
                == 0
            )
        else:
            return self._scratch[at : at + size] == self._echo[echo_at : echo_at + size]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _complete(self, index: cython.int, now_ns: cython.longlong) -> cython.void:
        """Count an echo, and the time since its message was sent or due."""
        number: cython.longlong = self._received[index]
        since_ns: cython.longlong
        if self._in_flight > 0 and number >= self._sent[index]:  # nobody asked for it
            self._refuse(index)
            return
        self._received[index] = number + 1
        self.messages += 1
        if self._in_flight == 0:
            return
        self._outstanding -= 1
        if self._interval_ps > 0:
            since_ns = self._due_ns(index + number * self._count)
        else:
            since_ns = self._sent_ns[index * self._in_flight + number % self._in_flight]
        latency_ns: cython.longlong = max(now_ns - since_ns, 0)
        self._buckets[bucket_of(latency_ns)] += 1
        self.total_ns += latency_ns
        self.highest_ns = max(self.highest_ns, latency_ns)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _take_control(self, index: cython.int, octet: cython.uchar) -> cython.void:
        """Collect a control frame (RFC 6455 §5.5): a ping is answered, a Close ends it all."""
        start: cython.Py_ssize_t = index * _CONTROL_OCTETS
        size: cython.int = self._control_at[index]
        self._control[start + size] = octet
        size += 1
        self._control_at[index] = size
        if size == 2 and octet > 125:
            self._refuse(index)
        elif size >= 2 and size == 2 + self._control[start + 1]:
            self._control_at[index] = 0
            if self._control[start] == 0x88:
                self._lose(index)
            elif self._control[start] == 0x89:
                self._answer_ping(index, size - 2)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _answer_ping(self, index: cython.int, size: cython.int) -> cython.void:
        """Prepare the pong, masked with zeros, in place of one that was not sent. §5.5.3."""
        if self._pong_at[index]:
            return  # half of the last one is out: the peer knows that we live
        source: cython.Py_ssize_t = index * _CONTROL_OCTETS + 2
        target: cython.Py_ssize_t = index * _PONG_OCTETS
        i: cython.int
        self._pong[target] = 0x8A
        self._pong[target + 1] = 0x80 | size
        for i in range(4):
            self._pong[target + 2 + i] = 0
        for i in range(size):
            self._pong[target + 6 + i] = self._control[source + i]
        self._pong_size[index] = 6 + size

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _send_due(self, now_ns: cython.longlong) -> cython.void:
        """Send what is due by now, the connections in turn, each all of its own at once."""
        number: cython.longlong
        last: cython.longlong = (now_ns - self._start_ns) * 1000 // self._interval_ps
        for number in range(max(self._next, last - self._count + 1), last + 1):
            self._top_up(number % self._count, now_ns)
        self._next = last + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _due_ns(self, number: cython.longlong) -> cython.longlong:
        return self._start_ns + number * self._interval_ps // 1000

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _top_up(self, index: cython.int, now_ns: cython.longlong) -> cython.void:
        """Send what the connection has room for and the rate allows, and a pong that waits."""
        if not self._is_open[index]:
            return
        wanted: cython.longlong = self._wanted(index, now_ns)
        slot: cython.Py_ssize_t
        self._backlog[index] += wanted * self._frame_octets
        if self._in_flight > 0:
            self._allowed -= wanted
            self._outstanding += wanted
        while wanted > 0:
            if self._in_flight > 0 and self._interval_ps == 0:
                slot = index * self._in_flight + self._sent[index] % self._in_flight
                self._sent_ns[slot] = now_ns
            self._sent[index] += 1
            wanted -= 1
        self._flush(index)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _wanted(self, index: cython.int, now_ns: cython.longlong) -> cython.longlong:
        room: cython.longlong = self._in_flight - (self._sent[index] - self._received[index])
        due: cython.longlong = 0
        if self._in_flight == 0:
            return room
        room = min(room, self._allowed)
        if self._interval_ps == 0:
            return room
        while (
            due < room and self._due_ns(index + (self._sent[index] + due) * self._count) <= now_ns
        ):
            due += 1
        return due

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _flush(self, index: cython.int) -> cython.void:
        """Send until all is out or the socket takes no more."""
        at: cython.Py_ssize_t
        size: cython.Py_ssize_t
        sent: cython.Py_ssize_t
        while self._backlog[index] or self._pong_size[index]:
            at = self._frame_at[index]
            if at == 0 and self._pong_size[index]:
                if not self._flush_pong(index):
                    return
                continue
            size = min(self._backlog[index], self._frames_octets - at)
            if self._pong_size[index]:
                size = min(size, self._frame_octets - at)  # the pong's place is behind this frame
            sent = self._send(index, self._frames, at, size)
            if sent < 0:
                if sent == _LOST:
                    self._lose(index)
                return
            self._backlog[index] -= sent
            self._frame_at[index] = (at + sent) % self._frame_octets

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _flush_pong(self, index: cython.int) -> cython.bint:
        """Send what is left of the pong; return whether that was all."""
        at: cython.int = self._pong_at[index]
        size: cython.int = self._pong_size[index] - at
        sent: cython.Py_ssize_t = self._send(index, self._pong, index * _PONG_OCTETS + at, size)
        if sent == size:
            self._pong_size[index] = 0
            self._pong_at[index] = 0
            return True
        if sent == _LOST:
            self._lose(index)
        elif sent > 0:
            self._pong_at[index] = at + sent
        return False

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _refuse(self, index: cython.int) -> cython.void:
        self.wrong += 1
        self._leave(index)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _lose(self, index: cython.int) -> cython.void:
        self.lost += 1
        self._leave(index)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _leave(self, index: cython.int) -> cython.void:
        """Have no more to do with a connection; its socket stays open and is not read."""
        self._is_open[index] = 0
        self.connections -= 1
        self._backlog[index] = 0
        self._pong_size[index] = 0
        if self._in_flight > 0:
            self._outstanding -= self._sent[index] - self._received[index]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _receive(self, index: cython.int) -> cython.Py_ssize_t:
        """Read into the scratch; return how many octets, _AGAIN for none yet, _LOST at the end."""
        size: cython.Py_ssize_t
        if cython.compiled and not self._uses_sockets:
            size = recv(
                self._descriptor[index], cython.address(self._scratch[0]), _SCRATCH_OCTETS, 0
            )
            if size > 0:
                return size
            return _AGAIN if size < 0 and errno in (EAGAIN, EINTR) else _LOST
        return self._receive_from_socket(index)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _send(
        self,
        index: cython.int,
        octets: cython.uchar[::1],
        at: cython.Py_ssize_t,
        size: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Send; return how many octets were taken, _AGAIN for none now, _LOST at the end."""
        sent: cython.Py_ssize_t
        if cython.compiled and not self._uses_sockets:
            sent = send(self._descriptor[index], cython.address(octets[at]), size, MSG_NOSIGNAL)
            if sent > 0:
                return sent
            return _AGAIN if errno in (EAGAIN, EINTR) else _LOST
        return self._send_to_socket(index, octets, at, size)

    @cython.cfunc
    @cython.with_gil
    @cython.exceptval(check=False)
    def _receive_from_socket(self, index: cython.int) -> cython.Py_ssize_t:
        try:
            return self._sockets[index].recv_into(self._scratch) or _LOST
        except (BlockingIOError, ssl.SSLWantReadError):
            return _AGAIN
        except OSError:
            return _LOST

    @cython.cfunc
    @cython.with_gil
    @cython.exceptval(check=False)
    def _send_to_socket(
        self,
        index: cython.int,
        octets: cython.uchar[::1],
        at: cython.Py_ssize_t,
        size: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        try:
            return self._sockets[index].send(memoryview(octets)[at : at + size])
        except (BlockingIOError, ssl.SSLWantWriteError):
            return _AGAIN
        except OSError:
            return _LOST

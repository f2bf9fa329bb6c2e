"""Connections that come and go: both ends of connect, opening handshake, closing handshake, end.

Compiled where possible. Most of a connection's cost is the kernel's, so that Python's sockets
serve here in both modes.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import contextlib
import select
import socket
import time
from array import array

from upwire.errors import RemoteProtocolError
from upwire.load._engine import BUCKETS, bucket_of
from upwire.load.histogram import Histogram
from upwire.wire._codec import build_frame
from upwire.wire.frames import CloseCode, Opcode, build_close
from upwire.wire.handshake import build_request, compute_accept, make_key
from upwire.wire.http1 import serialize_request

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

KEY = make_key(b"upwire bench key")
"""One for all connections: a server cannot tell."""
PORTS = 20_000
"""Connections to make from one source address before the next has its turn."""
SOURCES = tuple(f"127.0.0.{number}" for number in range(1, 9))

_READ_OCTETS = 65536
_HEAD_OCTETS = 65536
_END_OF_HEAD = b"\r\n\r\n"
_CLOSE = build_close(CloseCode.NORMAL_CLOSURE)
_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: "
)
_KEY_FIELD = b"\r\nsec-websocket-key:"


def is_compiled() -> bool:
    """Whether this module runs as compiled code."""
    return bool(cython.compiled)


@cython.final
@cython.cclass
class _Attempt:
    """received: octets that nothing was made of yet. has_closed: our Close is sent."""

    end: socket.socket
    received: bytes
    has_closed: cython.bint
    start_ns: cython.longlong

    def __init__(self, one: socket.socket) -> None:
        self.end = one
        self.received = b""
        self.has_closed = False
        self.start_ns = time.monotonic_ns()


@cython.final
@cython.cclass
class Connector:
    """Makes connections to a port of 127.0.0.1, so many at a time, each anew once one is over.

    A connection is over when its handshake was answered right (RFC 6455 §4.1), our Close with
    another, and the server ended the stream (§7.1.1). done counts those; latency is the time
    from connect() to the answer. Several source addresses share them, since one has no more
    than 28,232 ports.
    """

    done = cython.declare(cython.int, visibility="readonly")
    _address: tuple[str, int]
    _at_a_time: cython.int
    _request: bytes
    _accept: bytes
    _close: bytes
    _poll: select.epoll
    _attempts: dict[int, _Attempt]
    _made: cython.int
    _buckets: array[int]
    _highest_ns: cython.longlong
    _total_ns: cython.longlong

    def __init__(self, port: int, at_a_time: int, *, path: str = "/") -> None:
        self._address = ("127.0.0.1", port)
        self._at_a_time = at_a_time
        self._request = serialize_request(build_request(f"127.0.0.1:{port}", path, KEY))
        self._accept = compute_accept(KEY).encode()
        self._close = build_frame(Opcode.CLOSE, _CLOSE, mask_key=b"\x37\xfa\x21\x3d")
        self._poll = select.epoll()
        self._attempts = {}
        self._made = 0
        self.restart()

    def restart(self) -> None:
        """Count from zero, as after a warm-up."""
        self.done = 0
        self._buckets = array("Q", bytes(8 * BUCKETS))
        self._highest_ns = 0
        self._total_ns = 0

    @property
    def latency(self) -> Histogram:
        """How long the answers to the opening handshakes took."""
        return Histogram(list(self._buckets), self._highest_ns, self._total_ns)

    def run(self, seconds: float) -> None:
        """Make connections for so long; those under way then stay so.

        Raises RemoteProtocolError for an answer or an end that no connection may have, and
        OSError where the system gives no more.
        """
        until_s = time.monotonic() + seconds
        while len(self._attempts) < self._at_a_time:
            self._begin()
        while (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left_s):
                if self._go_on(self._attempts[descriptor]):
                    self._end(descriptor)
                    self.done += 1
                    self._begin()

    def close(self) -> None:
        """Drop what is under way."""
        for descriptor in list(self._attempts):
            self._end(descriptor)
        self._poll.close()

    @cython.cfunc
    def _begin(self) -> object:
        """Connect and send the handshake."""
        one = socket.socket()
        try:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            source = SOURCES[self._made // PORTS % len(SOURCES)]
            if source != self._address[0]:
                one.bind((source, 0))
            attempt = _Attempt(one)
            one.connect(self._address)
            one.send(self._request)
        except OSError:
            one.close()
            raise
        self._made += 1
        self._poll.register(one, select.EPOLLIN)
        self._attempts[one.fileno()] = attempt
        return None

    @cython.cfunc
    def _end(self, descriptor: cython.int) -> object:
        self._poll.unregister(descriptor)
        attempt: _Attempt = self._attempts.pop(descriptor)
        attempt.end.close()
        return None

    @cython.cfunc
    def _go_on(self, attempt: _Attempt) -> cython.bint:
        """Read; answer the handshake's answer with a Close; return whether that was all."""
        octets: bytes = attempt.end.recv(_READ_OCTETS)
        attempt.received += octets
        if not octets:
            if not attempt.has_closed or attempt.received[:1] != b"\x88":
                raise RemoteProtocolError(f"connection ended after {attempt.received!r:.80}")
            return True
        if not attempt.has_closed:
            size: cython.Py_ssize_t = attempt.received.find(_END_OF_HEAD)
            if size >= 0:
                self._check(attempt.received[:size])
                self._count(time.monotonic_ns() - attempt.start_ns)
                attempt.received = attempt.received[size + len(_END_OF_HEAD) :]
                attempt.has_closed = True
                attempt.end.send(self._close)
        return False

    @cython.cfunc
    def _check(self, head: bytes) -> object:
        """Raise where a head is not the one answer to our key; fields are checked elsewhere."""
        if not head.startswith(b"HTTP/1.1 101 ") or self._accept not in head:
            raise RemoteProtocolError(f"no right answer to the handshake: {head!r:.80}")
        return None

    @cython.cfunc
    def _count(self, latency_ns: cython.longlong) -> object:
        self._buckets[bucket_of(latency_ns)] += 1
        self._total_ns += latency_ns
        self._highest_ns = max(self._highest_ns, latency_ns)
        return None


@cython.final
@cython.cclass
class Acceptor:
    """Answers opening handshakes and Closes, and knows nothing else of the protocol.

    As an upstream it is faster than any server, so that a proxy before it is what is measured.
    """

    connections = cython.declare(cython.int, visibility="readonly")
    _listener: socket.socket
    _poll: select.epoll
    _attempts: dict[int, _Attempt]
    _close: bytes

    def __init__(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)
        self._attempts = {}
        self._close = build_frame(Opcode.CLOSE, _CLOSE)
        self.connections = 0

    def run(self, seconds: float) -> None:
        """Serve for so long."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left_s):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif not self._is_alive(self._attempts[descriptor]):
                    self._end(descriptor)

    def close(self) -> None:
        """Drop every connection. The listener stays its owner's."""
        for descriptor in list(self._attempts):
            self._end(descriptor)
        self._poll.close()

    @cython.cfunc
    def _accept(self) -> object:
        with contextlib.suppress(BlockingIOError):
            while True:
                one, _ = self._listener.accept()
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._poll.register(one, select.EPOLLIN)
                self._attempts[one.fileno()] = _Attempt(one)
                self.connections += 1
        return None

    @cython.cfunc
    def _end(self, descriptor: cython.int) -> object:
        self._poll.unregister(descriptor)
        attempt: _Attempt = self._attempts.pop(descriptor)
        attempt.end.close()
        self.connections -= 1
        return None

    @cython.cfunc
    def _is_alive(self, attempt: _Attempt) -> cython.bint:
        """Read and answer; return whether more may come."""
        try:
            octets: bytes = attempt.end.recv(_READ_OCTETS)
            if not octets:
                return False
            attempt.received += octets
            size: cython.Py_ssize_t = attempt.received.find(_END_OF_HEAD)
            if size >= 0:
                attempt.end.send(_answer(attempt.received[:size]))
                attempt.received = attempt.received[size + len(_END_OF_HEAD) :]
            if _has_close(attempt.received):
                attempt.end.send(self._close)
                return False
        except OSError:
            return False
        return len(attempt.received) < _HEAD_OCTETS


def _answer(head: bytes) -> bytes:
    """Return the answer to an opening handshake; an empty key is answered like any other."""
    start = head.lower().find(_KEY_FIELD)
    key = head[start + len(_KEY_FIELD) :].partition(b"\r\n")[0].strip() if start >= 0 else b""
    return _SWITCH + compute_accept(key.decode("ascii", "replace")).encode() + _END_OF_HEAD


def _has_close(octets: bytes) -> bool:
    """Whether a whole Close of a client is there: octets behind its mask as its length says."""
    return octets[:1] == b"\x88" and len(octets) > 5 and len(octets) >= 6 + (octets[1] & 0x7F)

"""Carries a tunnel's octets with the compiled engine, which the asyncio loop drives.

The engine gets the sockets for good, and OpenSSL's objects with them: the Streams and their
transports go, and of an idle tunnel little more is left than what the engine and the relay have
to know.
"""

from __future__ import annotations

import asyncio
import os
import socket
from weakref import WeakKeyDictionary

from upwire.errors import StreamError
from upwire.net.relay import _engine
from upwire.net.relay.carrier import Observer, Side
from upwire.net.stream import CLOSE_TIMEOUT_S, Stream
from upwire.net.tls.transport import TlsTransport, describe_code
from upwire.wire._frame_counter import FrameCounter


class EngineCarrier:
    """Hands the sockets of both Streams to the engine; counters and streams: downstream first.

    spin_s: how long the engine, of all tunnels, watches for another event after it has served one.
    Raises OSError where the system has no descriptors left for that; the Streams are the
    caller's then, as they were.
    """

    __slots__ = ("_downstream", "_driver", "_observer", "_streams", "_upstream")

    def __init__(
        self,
        observer: Observer,
        streams: tuple[Stream, Stream],
        counters: tuple[FrameCounter, FrameCounter],
        *,
        spin_s: float = 0.0,
    ) -> None:
        self._observer = observer
        self._driver = _driver_of(asyncio.get_running_loop())
        self._driver.spin(spin_s)
        self._streams: tuple[Stream, ...] = streams
        try:
            self._downstream, self._upstream = (
                _engine.Connection(_lender_of(stream).lend(), counter, self)
                for stream, counter in zip(streams, counters, strict=True)
            )
            self._driver.add(self._downstream, self._upstream)
        except OSError:
            for stream in streams:
                _lender_of(stream).take_back()
            self._driver.leave_if_unused()
            raise

    @staticmethod
    def can_carry(downstream: Stream, upstream: Stream) -> bool:
        """Whether the engine is there, and both Streams can lend their sockets."""
        lenders = _lender_of(downstream), _lender_of(upstream)
        return _engine.is_available() and all(lender.can_lend for lender in lenders)

    def start(self) -> None:
        """Begin, with what both Streams have already read; of them nothing is kept."""
        downstream, upstream = self._streams
        self._streams = ()
        from_downstream = _take_over(downstream, self._downstream)
        from_upstream = _take_over(upstream, self._upstream)
        self._driver.give(self._downstream, self._upstream, *from_downstream)
        self._driver.give(self._upstream, self._downstream, *from_upstream)

    def stop(self) -> None:
        """Close both connections, each behind what it has not taken yet."""
        for connection in (self._downstream, self._upstream):
            self._driver.end(connection)
            if connection.waiting_octets and not connection.error_number:
                _send_last(connection)
        self.abort()

    def abort(self) -> None:
        """Close both connections at once."""
        self._driver.remove(self._downstream)

    def insert(self, side: Side, frame: bytes, *, is_last: bool) -> None:
        """Send a frame of ours to a side, behind the frame that is under way to it."""
        target = self._downstream if side is Side.DOWNSTREAM else self._upstream
        self._driver.insert(target, frame, is_last=is_last)

    def last_moved_at_s(self) -> float:
        """Return when an octet came or was taken last."""
        moved_at_s: float = max(self._downstream.moved_at_s, self._upstream.moved_at_s)
        return moved_at_s

    def first_to_end(self) -> Side | None:
        """Return the side that ended its direction first."""
        if self._downstream.has_ended_first:
            return Side.DOWNSTREAM
        return Side.UPSTREAM if self._upstream.has_ended_first else None

    def first_to_close(self) -> Side | None:
        """Return the side whose Close frame passed first."""
        if self._downstream.has_closed_first:
            return Side.DOWNSTREAM
        return Side.UPSTREAM if self._upstream.has_closed_first else None

    def is_truncated(self, side: Side) -> bool:
        """Whether a side's end came without the alert that TLS has for it."""
        ended = self._downstream if side is Side.DOWNSTREAM else self._upstream
        return bool(ended.is_truncated)

    def note_news(self, connection: _engine.Connection) -> None:
        """Pass on what the engine found."""
        side = Side.DOWNSTREAM if connection is self._downstream else Side.UPSTREAM
        if connection.counter.is_over_limit:
            self._observer.note_limit(side)
        if connection.is_done:
            self._observer.note_end(side, can_go_on=True)
        if connection.error_number:
            error = StreamError(_describe_loss(connection), doing="relaying")
            self._observer.note_loss(side, None if connection.has_ended else error)


def _lender_of(stream: Stream) -> Stream | TlsTransport:
    """Return who lends the socket of a Stream: its TLS, if that is ours."""
    transport = stream.transport
    return transport if isinstance(transport, TlsTransport) else stream


def _take_over(stream: Stream, connection: _engine.Connection) -> tuple[bytes, bytes]:
    """Let a connection go on for a Stream; return content that it has read, and its records."""
    transport = stream.transport
    records = b""
    if isinstance(transport, TlsTransport):
        session, records = transport.give_up()
        connection.secure(session)
    return stream.give_up(), records


def _describe_loss(connection: _engine.Connection) -> str:
    if connection.session is not None and connection.session.has_failed:
        return describe_code(connection.session.error_code)
    return os.strerror(connection.error_number)


class _LastOctets:
    """What a connection whose tunnel has ended has not taken: it may, while it takes some of it."""

    __slots__ = ("_loop", "_octets", "_socket", "_timer")

    def __init__(self, sock: socket.socket, octets: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._octets = memoryview(octets)
        self._timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._close)
        self._loop.add_writer(sock, self._send)

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._octets)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            sent = len(self._octets)  # nobody is there to take them
        self._octets = self._octets[sent:]
        self._timer.cancel()
        if self._octets:
            self._timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._close)
        else:
            self._close()

    def _close(self) -> None:
        self._timer.cancel()
        self._loop.remove_writer(self._socket)
        self._socket.close()


def _send_last(connection: _engine.Connection) -> None:
    """Let a connection that leaves the engine have what waits for it."""
    try:
        descriptor, waiting = connection.take_waiting()
    except OSError:
        return  # without a descriptor left it is lost
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    _LastOctets(sock, waiting)


class _Driver:
    """Lets a loop drive an engine, from its first tunnel to its last."""

    __slots__ = ("__weakref__", "_engine", "_is_scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = _engine.Engine()
        self._is_scheduled = False
        loop.add_reader(self._engine.descriptor, self._step)

    def add(self, one: _engine.Connection, two: _engine.Connection) -> None:
        self._engine.add(one, two, now_s=asyncio.get_running_loop().time())

    def spin(self, spin_s: float) -> None:
        """Have the engine watch for another event for so long."""
        self._engine.spin_s = spin_s

    def give(
        self,
        source: _engine.Connection,
        target: _engine.Connection,
        content: bytes,
        records: bytes,
    ) -> None:
        self._engine.give(target, content)
        self._engine.give_records(source, records)
        self._schedule()

    def end(self, target: _engine.Connection) -> None:
        self._engine.end(target)

    def insert(self, target: _engine.Connection, frame: bytes, *, is_last: bool) -> None:
        self._engine.insert(target, frame, is_last=is_last)
        self._schedule()

    def remove(self, one: _engine.Connection) -> None:
        self._engine.remove(one)
        self.leave_if_unused()

    def leave_if_unused(self) -> None:
        """Without tunnels, leave the loop: nothing of the engine is kept."""
        loop = asyncio.get_running_loop()
        if not len(self._engine) and _drivers.get(loop) is self:
            del _drivers[loop]
            loop.remove_reader(self._engine.descriptor)
            self._engine.close()

    def _schedule(self) -> None:
        """Step once more where the descriptor does not say that there is something to do."""
        if self._engine.is_busy and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._step_on)

    def _step_on(self) -> None:
        self._is_scheduled = False
        self._step()

    def _step(self) -> None:
        for connection in self._engine.step(asyncio.get_running_loop().time()):
            if connection.owner is not None:  # which another one's news may have removed
                connection.owner.note_news(connection)
        self._schedule()


_drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Driver] = WeakKeyDictionary()


def _driver_of(loop: asyncio.AbstractEventLoop) -> _Driver:
    """Return the loop's driver, made for its first tunnel."""
    driver = _drivers.get(loop)
    if driver is None:
        driver = _drivers[loop] = _Driver(loop)
    return driver

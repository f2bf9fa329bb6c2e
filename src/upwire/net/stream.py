"""`Stream`: the octets of one connection, both ways, with back-pressure and deadlines.

A Stream stands on any asyncio transport: TCP, a unix socket, TLS on either. Octets are pulled
with `read()`, or pushed into a `Sink`; both use the same bounded buffer, and a full buffer stops
the transport from reading, so that the peer is slowed down and memory stays bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import math
import os
import ssl
from collections.abc import Callable
from typing import Protocol, cast

from upwire.errors import LocalProtocolError, StreamError
from upwire.net.waiting import timed_out, wait_for, wake

READ_HIGH_OCTETS = 64 * 1024
"""Octets waiting to be read at which the transport stops reading; one more receive may follow."""

WRITE_HIGH_OCTETS = 64 * 1024
"""Octets waiting to be sent at which `drain()` starts to wait; it goes on at a quarter of them."""

CLOSE_TIMEOUT_S = 10.0
"""How long a peer may take nothing of what a closed Stream has left before it is cut."""

TURNS_TO_READ = 3
"""Turns of the loop in which what the system had received is read: an epoll, and one inside it."""

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket: "" where it has none, "@name" if abstract."""


class Sink(Protocol):
    """Where a Stream in push mode delivers, in this order: octets, the end, the loss."""

    def octets_received(self, octets: bytes) -> None:
        """Take octets that the peer sent."""

    def eof_received(self) -> None:
        """The peer sends nothing more; it may still receive, except over TLS."""

    def stream_lost(self, error: StreamError | None) -> None:
        """The connection is gone; error is None where we closed it, or the peer had ended it."""


class Keeper(Protocol):
    """Who made a Stream and closes it, unless somebody takes it over."""

    def stream_gone(self) -> None:
        """A Stream that was taken over is closed."""


class Stream(asyncio.Protocol):
    """One connection. `dial()` or a `Listener` makes it; whoever gets it closes it.

    It starts in pull mode, where `read()` takes what has come; `push_to()` changes the mode.
    TCP_NODELAY is on: its maker saw to that. Cancelling a wait loses no octets. Over TLS the end
    of the connection is the peer's end, with a closure alert or without (see `is_truncated`). A
    content that is cut still shows by its framing.
    """

    __slots__ = (
        "_chunks",
        "_close_timer",
        "_closers",
        "_drainers",
        "_error",
        "_held",
        "_is_cut",
        "_is_eof",
        "_is_lent",
        "_is_lost",
        "_is_paused",
        "_is_reading_paused",
        "_is_writing_paused",
        "_loop",
        "_output",
        "_read_deadline_s",
        "_read_timer",
        "_reader",
        "_sink",
        "_told",
        "_transport",
        "_unread_octets",
        "keeper",
        "local_address",
        "on_end",
        "peer_address",
        "tls",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._unread_octets = 0
        self._sink: Sink | None = None
        self._told = _Told.NOTHING
        self._output = _Output.OPEN
        self._is_paused = False  # by the sink's owner
        self._is_lent = False
        self._is_reading_paused = False  # the transport, for that reason or for a full buffer
        self._is_writing_paused = False
        self._held = b""  # of write_soon()
        self._is_eof = False
        self._is_cut = False  # closed or aborted from this side
        self._is_lost = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._read_deadline_s = math.inf  # of the wait that goes on, in the loop's time
        self._read_timer: asyncio.TimerHandle | None = None
        self._drainers: list[asyncio.Future[None]] = []
        self._closers: list[asyncio.Future[None]] = []
        self._close_timer: asyncio.TimerHandle | None = None
        self.peer_address: Address = ""
        self.local_address: Address = ""
        self.keeper: Keeper | None = None
        """Who closes it when it has done its part; None where that is up to whoever has it."""
        self.on_end: Callable[[], None] | None = None
        """Called at the peer's end and at the loss, whoever reads, and however far."""
        self.tls: ssl.SSLObject | None = None
        """The TLS session; None in the clear."""

    @property
    def transport(self) -> asyncio.Transport:
        """The transport below. LocalProtocolError before the connection is made."""
        if self._transport is None:
            raise LocalProtocolError("the stream is not connected yet")
        return self._transport

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone, or was closed from this side."""
        return self._is_cut or self._is_lost

    @property
    def is_eof(self) -> bool:
        """Whether the peer has ended its direction; octets before the end may still be unread."""
        return self._is_eof

    @property
    def is_truncated(self) -> bool:
        """Whether the peer's end came without the alert that TLS has for it (RFC 8446 §6.1).

        Anybody on the way may have made it then. Only the proxy's TLS tells; asyncio's does not.
        """
        return bool(self.transport.get_extra_info("is_truncated"))

    @property
    def unread_octets(self) -> int:
        """How many octets have come and were not taken."""
        return self._unread_octets

    async def read(self, *, timeout_s: float | None = None, doing: str = "") -> bytes:
        """Take all octets that have come, waiting for the first; b"" at the peer's end.

        Raises StreamError when the connection is lost, was closed, or stays silent for timeout_s.
        """
        while not self._chunks:
            if self._is_cut or (self._is_lost and not self._is_eof):
                raise self._loss(doing)
            if self._is_eof:
                return b""
            if self._sink is not None or self._reader is not None:
                raise LocalProtocolError("the octets of this stream go to another reader")
            self._reader = self._loop.create_future()
            if timeout_s is not None:
                self._bound_read(timeout_s)
            try:
                await self._reader
            except TimeoutError:
                assert timeout_s is not None
                raise timed_out(timeout_s, doing) from None
            finally:
                self._reader = None
                self._read_deadline_s = math.inf
        octets = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._forget_unread()
        self._regulate_reading()
        return octets

    def unread(self, octets: bytes) -> None:
        """Put octets back in front; the next read, or the sink, gets them first."""
        if octets and not self._is_cut:
            self._chunks.insert(0, octets)
            self._unread_octets += len(octets)
            self._deliver()

    def hand_over(self) -> Keeper | None:
        """Take it over from its keeper, who will want to be told that it is gone.

        Over TLS the keeper has the Stream below.
        """
        below: Stream | None = self.transport.get_extra_info("stream")
        kept = self if below is None else below
        keeper, kept.keeper = kept.keeper, None
        return keeper

    def push_to(self, sink: Sink | None) -> None:
        """Deliver from now on to sink, first what was not read yet; None goes back to pulling."""
        if self._reader is not None:
            raise LocalProtocolError("a reader waits on this stream")
        self._sink = sink
        self._told = _Told.NOTHING
        self._is_paused = False
        self._deliver()

    def pause(self) -> None:
        """Deliver nothing until `resume()`: no octets, not the end, not the loss."""
        self._is_paused = True
        self._regulate_reading()

    def resume(self) -> None:
        """Deliver again, first what came in the meantime."""
        self._is_paused = False
        self._deliver()

    @property
    def can_lend(self) -> bool:
        """Whether `lend()` may be called: the octets are those of a socket, and none wait."""
        has_socket = self.transport.get_extra_info("socket") is not None
        is_open = self._output is _Output.OPEN and not self.transport.is_closing()
        return has_socket and self.tls is None and is_open and not self.write_buffer_octets

    def lend(self) -> int:
        """Read and write no more, and return a duplicate of the socket's descriptor, the caller's.

        Whoever borrows it does the reading and the writing until `take_back()`, or for good after
        `give_up()`; what was read before stays here.
        Raises OSError where the system has no descriptor left.
        """
        duplicate = os.dup(self.transport.get_extra_info("socket").fileno())
        self._is_lent = True
        self._regulate_reading()
        return duplicate

    def give_up(self) -> bytes:
        """Leave the connection to whoever borrowed the socket; return what was not read.

        The Stream is gone then, as after `abort()`, and the connection is not.
        """
        octets = b"".join(self._chunks)
        self._cut()
        self.transport.abort()
        return octets

    def take_back(self) -> None:
        """Read and write again; without `lend()` it does nothing."""
        self._is_lent = False
        self._regulate_reading()

    def write(self, octets: bytes | bytearray | memoryview) -> None:
        """Send octets, or keep them until the peer takes them; `drain()` bounds how many.

        On a connection that is gone they vanish, and `drain()` says so.
        """
        if self._held:
            held, self._held = self._held, b""
            octets = held + octets
        if self._output is _Output.OPEN:
            if not self.transport.is_closing():  # asyncio would warn of a loss that it will tell
                self.transport.write(octets)
        elif self._output is _Output.ENDED:
            raise LocalProtocolError("write after the end of our direction")

    def write_soon(self, octets: bytes) -> None:
        """Send octets in one piece with what is written next, at the latest when the loop turns.

        For a head whose content may be at hand: one send() costs as much as all else of it.
        """
        if self._held:
            self.write(octets)
        elif self._output is _Output.OPEN:
            self._held = octets
            self._loop.call_soon(self._send_held)

    async def drain(self, *, timeout_s: float | None = None, doing: str = "") -> None:
        """Wait until the peer has taken enough of what was written.

        Raises StreamError when nothing can be sent any more, or that takes more than timeout_s.
        """
        while self._is_writing_paused and self._output is not _Output.GONE:
            waiter = self._loop.create_future()
            self._drainers.append(waiter)
            try:
                await wait_for(waiter, timeout_s, doing)
            finally:
                self._drainers.remove(waiter)
        if self._output is not _Output.GONE and self.transport.is_closing():
            await asyncio.sleep(0)  # the loss is on its way; who sends in a loop must let it in
        if self._output is _Output.GONE:
            raise self._loss(doing)

    @property
    def is_drained(self) -> bool:
        """Whether `drain()` would do nothing: there is room, and no loss on its way."""
        is_held = self._is_writing_paused or self._output is _Output.GONE
        return not is_held and not self.transport.is_closing()

    @property
    def is_writable_now(self) -> bool:
        """Whether `drain()` would return at once."""
        return not self._is_writing_paused and self._output is not _Output.GONE

    @property
    def write_buffer_octets(self) -> int:
        """How many octets were written and are not with the system yet."""
        if self._is_lost:
            return 0
        return self.transport.get_write_buffer_size() + len(self._held)

    @property
    def can_write_eof(self) -> bool:
        """Whether our direction can be ended alone; over TLS, asyncio cannot."""
        return self.transport.can_write_eof()

    def write_eof(self) -> None:
        """End our direction behind what was written; the peer's stays open.

        After a loss that is not known here yet it does nothing.
        """
        if not self.can_write_eof:
            raise LocalProtocolError("this transport has no half-close")
        self._send_held()
        if self._output is _Output.OPEN:
            self._output = _Output.ENDED
            with contextlib.suppress(OSError):  # reset by the peer; the loop is about to tell
                self.transport.write_eof()

    def close(self) -> None:
        """Send what is left, then end both directions; what was not read is dropped.

        A peer that takes nothing of it for CLOSE_TIMEOUT_S is cut.
        """
        if not self.is_closed:
            self._send_held()
            self._cut()
            self._bound_close()
            if not self.transport.is_closing():  # asyncio's TLS cannot abort after a second close()
                self.transport.close()

    def abort(self) -> None:
        """End both directions at once; what was not sent or not read is dropped."""
        if not self._is_lost:
            self._cut()
            self.transport.abort()

    async def wait_closed(self) -> None:
        """Wait until a closed connection is gone, its socket with it."""
        if not self._is_lost:
            waiter = self._loop.create_future()
            self._closers.append(waiter)
            try:
                await waiter
            finally:
                self._closers.remove(waiter)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the transport, once, before anything else."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_OCTETS)
        self.peer_address = to_address(transport.get_extra_info("peername"))
        self.local_address = to_address(transport.get_extra_info("sockname"))
        self.tls = transport.get_extra_info("ssl_object")

    def data_received(self, data: bytes) -> None:
        """Called by the transport with what one receive gave."""
        if self._is_cut:
            return
        if self._sink is not None and not self._is_paused:
            self._sink.octets_received(data)
        else:
            self._chunks.append(data)
            self._unread_octets += len(data)
            self._regulate_reading()
            self._wake_reader()

    def eof_received(self) -> bool:
        """Called by the transport at the peer's end; True keeps our direction open."""
        self._is_eof = True
        can_go_on = self.can_write_eof
        if not can_go_on:
            self._output = _Output.GONE
            self._wake_drainers()
        self._wake_reader()
        self._deliver()
        if self.on_end is not None:
            self.on_end()
        return can_go_on

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport, once, as the last."""
        self._is_lost = True
        self._held = b""
        self._error = exc
        self._output = _Output.GONE
        for timer in (self._close_timer, self._read_timer):
            if timer is not None:
                timer.cancel()
        self._wake_reader()
        self._wake_drainers()
        for waiter in self._closers:
            wake(waiter)
        self._deliver()
        if self.on_end is not None:
            self.on_end()

    def pause_writing(self) -> None:
        """Called by the transport when WRITE_HIGH_OCTETS wait to be sent."""
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        """Called by the transport when few enough wait again."""
        self._is_writing_paused = False
        self._wake_drainers()

    def _deliver(self) -> None:
        """Hand the sink what it was not told yet, in order, until it pauses or leaves."""
        while (sink := self._sink) is not None and not self._is_paused:
            if self._chunks:
                octets = self._chunks.pop(0)
                self._unread_octets -= len(octets)
                sink.octets_received(octets)
            elif self._is_eof and self._told is _Told.NOTHING:
                self._told = _Told.EOF
                sink.eof_received()
            elif self._is_lost and self._told is not _Told.LOSS:
                self._told = _Told.LOSS
                sink.stream_lost(self._loss("") if self._error is not None else None)
            else:
                break
        self._regulate_reading()

    def _regulate_reading(self) -> None:
        """Let the transport read exactly while there is room for what it gives."""
        is_held = self._is_lent or (self._is_paused and self._sink is not None)
        is_full = is_held or self._unread_octets >= READ_HIGH_OCTETS
        if is_full is self._is_reading_paused or self._is_eof or self.is_closed:
            return
        self._is_reading_paused = is_full
        if is_full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _send_held(self) -> None:
        if self._held:
            self.write(b"")

    def _cut(self) -> None:
        self._is_cut = True
        self._held = b""
        self._output = _Output.GONE
        self._forget_unread()
        self._wake_reader()
        self._wake_drainers()

    def _bound_close(self) -> None:
        """Cut the connection unless the peer keeps taking what is left."""
        left_octets = self.write_buffer_octets

        def look_again() -> None:
            if self.write_buffer_octets < left_octets:
                self._bound_close()
            else:
                self.transport.abort()

        self._close_timer = self._loop.call_later(CLOSE_TIMEOUT_S, look_again)

    def _forget_unread(self) -> None:
        self._chunks.clear()
        self._unread_octets = 0

    def _loss(self, doing: str) -> StreamError:
        """Say why nothing more can be received or sent."""
        if self._is_cut:
            message = "connection is closed"
        elif isinstance(self._error, OSError):
            message = self._error.strerror or str(self._error)
        elif self._error is not None:
            message = str(self._error)
        else:
            message = "connection was ended by the peer"
        error = StreamError(message, doing=doing)
        error.__cause__ = self._error
        return error

    def _bound_read(self, timeout_s: float) -> None:
        """Let the wait for octets end after a time.

        One timer outlives many waits, and looks again where it comes too early: to set and
        cancel one for each costs as much as to parse a head.
        """
        deadline_s = self._loop.time() + timeout_s
        self._read_deadline_s = deadline_s
        timer = self._read_timer
        if timer is None or timer.when() > deadline_s:
            if timer is not None:
                timer.cancel()
            self._read_timer = self._loop.call_at(deadline_s, self._look_at_reader, deadline_s)

    def _look_at_reader(self, now_s: float) -> None:
        """End the wait that is due by now_s; come again for one that is due later."""
        self._read_timer = None
        deadline_s = self._read_deadline_s
        if deadline_s > now_s:
            if deadline_s < math.inf:
                self._read_timer = self._loop.call_at(deadline_s, self._look_at_reader, deadline_s)
        elif self._reader is not None and not self._reader.done():
            self._reader.set_exception(TimeoutError())

    def _wake_reader(self) -> None:
        if self._reader is not None:
            wake(self._reader)

    def _wake_drainers(self) -> None:
        for waiter in self._drainers:
            wake(waiter)


def to_address(name: tuple[str, int] | tuple[str, int, int, int] | str | bytes | None) -> Address:
    """Bring what getsockname() and getpeername() give into one form."""
    if isinstance(name, tuple):
        return name[0], name[1]
    if isinstance(name, bytes):
        return "@" + name.lstrip(b"\0").decode("utf-8", "surrogateescape")
    return name or ""


class _Told(enum.Enum):
    """What the sink knows of the end."""

    NOTHING = enum.auto()
    EOF = enum.auto()
    LOSS = enum.auto()


class _Output(enum.Enum):
    """What our direction is good for."""

    OPEN = enum.auto()
    ENDED = enum.auto()  # by write_eof(); the peer may still be taking what was written
    GONE = enum.auto()  # closed, lost, or ended by TLS together with the peer's direction

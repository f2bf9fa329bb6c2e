# cython: boundscheck=False, wraparound=False
"""The path of every message: from the socket to the application, and back.

`WebSocket` is a `Channel` that also knows what is rare. Cython's pure Python mode; uncompiled,
the same file runs, slower, and without an engine.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import Any, Self, TypeVar

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.net.websocket.callbacks import APPLICATION_FAILURES, Callbacks
from upwire.net.websocket.ending import Ending
from upwire.wire.prepared import PreparedMessage
from upwire.wire.websocket import Event, Fragments, FrameInfo, Message

if cython.compiled:
    from cython.cimports.upwire.net.engine._link import Link
    from cython.cimports.upwire.net.engine._taker import Cork, Taker
    from cython.cimports.upwire.net.websocket._receiver import Receiver
    from cython.cimports.upwire.net.websocket.receive_queue import ReceiveQueue
    from cython.cimports.upwire.wire.websocket import Connection
else:
    from upwire.net.engine._link import Link
    from upwire.net.engine._taker import Cork, Taker
    from upwire.net.websocket._receiver import Receiver
    from upwire.net.websocket.receive_queue import ReceiveQueue
    from upwire.wire.websocket import Connection

Data = str | bytes | bytearray | memoryview
_Each = TypeVar("_Each", bound="Channel")

SENDS_BEFORE_YIELD = 64
"""After so many sends that need not wait, one lets the other tasks run."""

FRAMES_A_TURN = 256
"""After so many frames that are no whole message, the other tasks run before more are read."""

CALLS_A_TURN = 1024
"""After so many messages, callbacks let the other tasks run."""

CORKED_OCTETS = 64 * 1024
"""What waits for the end of the batch at most, before it is sent at once."""


def send_to_all(channels: Iterable[_Each], message: PreparedMessage) -> list[_Each]:
    """Send a message to each, as `send_prepared()` does; return those that it cannot go to."""
    channel: Channel
    refused: list[Any] = []
    for channel in list(channels):  # a copy: whoever observes frames may change what holds them
        if not channel.send_prepared(message):
            refused.append(channel)
    return refused


@cython.cclass
class Channel(Taker):  # type: ignore[misc]  # of the two imports, mypy takes the Any
    """Messages between a connection and the application.

    `WebSocket` has what is rare; its methods that are called from here stand at the end.
    """

    def __init__(
        self,
        connection: Connection,
        stream: Any,  # a Stream, or a Link together with the cork of its engine
        cork: Cork | None,
        queue: ReceiveQueue,
        send_buffer_octets: int,
        frames: list[FrameInfo] | None,
    ) -> None:
        """Speak on a stream; queue and send_buffer_octets bound what waits on either side.

        frames: the connection's frame_log.
        """
        self._connection = connection
        self._stream = stream
        self._link: Link | None = None if cork is None else stream
        self._cork = cork
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver | None = None
        self._is_receiving = False
        self._is_batch = False
        self._callbacks: Callbacks | None = None
        self._frames = frames
        self._send_buffer_octets = send_buffer_octets
        self._look_ahead: asyncio.Handle | None = None
        self._lock: asyncio.Lock | None = None
        self._closing: Ending | None = None
        self._ending: Ending | None = None
        self._rest: asyncio.Task[None] | None = None
        self.has_heard = False
        self._is_paused = False
        self._is_processing = False
        self._is_corked = False
        self._sends_in_a_row = 0

    # Receiving

    def recv(self) -> Coroutine[Any, Any, str | bytes]:
        """Return the next message: text as str, binary as bytes.

        Raises ConnectionClosed behind the last message.
        """
        return self._receive(is_iteration=False)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, str | bytes]:
        """Return the next message; the iteration ends where the WebSocket closes normally.

        Raises ConnectionClosed where it ends otherwise.
        """
        return self._receive(is_iteration=True)

    async def _receive(self, is_iteration: cython.bint) -> str | bytes:
        if self._is_receiving:
            raise LocalProtocolError("another task waits in recv() already")
        if self._callbacks is not None:
            raise LocalProtocolError("the messages of this WebSocket go to its callbacks")
        while not self._queue.messages:
            self._take_input(False)
            if self._queue.messages:
                break
            if self._ending is not None:
                if is_iteration and self._ending.is_normal:
                    raise StopAsyncIteration
                raise self._ending.error()
            if self._receiver is None:
                self._receiver = Receiver(self._loop)
            self._sends_in_a_row = 0
            self._is_receiving = True
            try:
                await self._receiver
            finally:
                self._is_receiving = False
        return self._take_message()

    @cython.cfunc
    def _take_message(self) -> object:
        was_full: cython.bint = self._queue.is_full
        message = self._queue.take()
        if was_full and not self._queue.is_full:
            self._listen()
        return message

    def octets_received(self, octets: bytes) -> None:
        """Take from a Stream what the peer sent."""
        self.has_heard = True
        if self._ending is None:
            self._connection.feed(octets)
            self._take_input(False)
            self._see_ahead()

    @cython.cfunc
    @cython.exceptval(check=False)
    def unread_octets(self) -> cython.Py_ssize_t:
        """How many octets were given and are not parsed."""
        return self._connection._parser._end - self._connection._parser._at

    @cython.cfunc
    @cython.exceptval(check=False)
    def copy_unread(self, target: cython.p_uchar) -> cython.Py_ssize_t:
        """Copy what is not parsed to target, and return how many octets that is."""
        return self._connection._parser.copy_unread(target)

    @cython.cfunc
    def receive(self, octets: cython.p_const_uchar, n: cython.Py_ssize_t) -> None:
        """Take from an engine what was unread, and what the peer sent behind it."""
        self.has_heard = True
        if self._ending is None:
            self._connection._parser.borrow(octets, n)
            self._is_batch = True
            try:
                self._take_input(False)
                self._is_batch = False
                if self._is_receiving and (self._queue.messages or self._ending is not None):
                    assert self._receiver is not None
                    self._receiver.step()
            finally:
                self._is_batch = False
                self._connection._parser.settle()
            self._see_ahead()

    @cython.cfunc
    def _see_ahead(self) -> None:
        """See to what is behind messages, once the receiver had time to answer those."""
        if self._look_ahead is None and self._queue.messages and self._connection.unread_octets:
            self._look_ahead = self._loop.call_soon(self._process_ahead)

    def _process_ahead(self) -> None:
        self._look_ahead = None
        self._take_input(True)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _is_listening(self) -> cython.bint:
        """Whether events are taken now; otherwise the stream is paused, or all is over."""
        is_held: cython.bint = self._is_paused or self._rest is not None or self._queue.is_full
        return not is_held and self._ending is None

    def _is_deaf(self) -> bool:
        return not self._is_listening()

    def _listen(self) -> None:
        """Take what had to wait, and read on if that leaves room."""
        self._take_input(True)
        if self._is_listening():
            self._stream.resume()

    def _process(self, *, is_ahead: bool) -> None:
        self._take_input(is_ahead)

    @cython.cfunc
    def _take_input(self, is_ahead: cython.bint) -> None:
        """Take what came: all messages up to the first other frame, or ahead of recv() all.

        So a receiver that waits can answer messages before what follows them, such as a
        violation, closes the connection.
        """
        if self._is_processing:
            return  # a callback was called, which has called us
        self._is_processing = True
        rest: cython.bint = False
        try:
            rest = self._take_events(is_ahead)
        except RemoteProtocolError as error:
            self._fail(error)
        finally:
            self._is_processing = False
        self._flush_corked()
        if self._ending is not None:
            return
        if rest:
            self._rest = self._loop.create_task(self._let_others_run())
        if not self._is_listening():
            self._stream.pause()

    @cython.cfunc
    def _take_events(self, is_ahead: cython.bint) -> cython.bint:
        """Return whether to let the other tasks run before more is taken."""
        frames: cython.int = 0
        calls: cython.int = 0
        while self._is_listening():
            message = self._connection.next_message()
            if message is not None:
                self._deliver(message)
                calls += 1
                if calls >= CALLS_A_TURN and self._callbacks is not None:
                    return True  # the queue bounds those for recv()
                continue
            if self._queue.messages and not is_ahead:
                return False
            event = self._connection.next_event()
            if event is None:
                break
            if isinstance(event, Message):
                self._deliver(event.data)
                continue
            self._take(event)
            frames += 1
            if frames == FRAMES_A_TURN or isinstance(event, Fragments):
                return True
        return frames > 0 and not self._can_write()

    @cython.cfunc
    def _deliver(self, message: str | bytes) -> None:
        if self._callbacks is not None:
            self._call(message, self._callbacks)
            return
        self._queue.put(message)
        self._wake()

    def _deliver_queued(self) -> None:
        """Call back with the messages that wait in the queue."""
        if self._is_processing:
            return  # whoever has called the callback goes on with them
        self._is_processing = True
        try:
            while self._queue.messages and self._callbacks is not None and not self._is_paused:
                self._call(self._queue.take(), self._callbacks)
        finally:
            self._is_processing = False
        self._flush_corked()

    @cython.cfunc
    def _call(self, message: str | bytes, callbacks: Callbacks) -> None:
        """Call back with a message; behind a Close of ours, nobody wants it."""
        if self._closing is not None:
            return
        try:
            callbacks.on_message(self, message)
        except APPLICATION_FAILURES as error:
            self._fail_callback(error)

    def _wake_receiver(self) -> None:
        self._wake()

    @cython.cfunc
    def _wake(self) -> None:
        """Let the one who waits in recv() go on; in a batch, at its end and at once."""
        if self._receiver is not None and self._is_receiving and not self._is_batch:
            self._receiver.wake()

    # Sending

    @property
    def can_send(self) -> bool:
        """Whether send() would take a message at once."""
        return self._can_send()

    @cython.cfunc
    def _can_send(self) -> cython.bint:
        is_open: cython.bint = self._closing is None and self._ending is None
        is_free: cython.bint = self._lock is None or not self._lock.locked()
        return is_open and is_free and self._can_write()

    @cython.cfunc
    def _can_write(self) -> cython.bint:
        return self._stream.is_writable_now if self._link is None else self._link.can_write()

    async def send(self, message: Data | Iterable[Data] | AsyncIterable[Data]) -> None:
        """Send a message: str as text, octets as binary, an iterable as one message in fragments.

        Waits while the peer does not read. Messages of several tasks never mix; control
        frames may go between fragments. An iterable that yields nothing sends nothing. One that
        fails, or is cancelled, behind its first fragment closes with 1011: what is sent
        cannot be taken back (RFC 6455 §5.4).

        Raises ConnectionClosed, or StreamError past the option send_timeout_s.
        """
        self._sends_in_a_row += 1
        if isinstance(message, (bytearray, memoryview)):
            message = bytes(message)
        is_plain: cython.bint = isinstance(message, (str, bytes))
        if is_plain and self._sends_in_a_row < SENDS_BEFORE_YIELD and self._can_send():
            self._connection.send_message(message)
            self._flush_corked()
        else:
            await self._send_slowly(message)

    def send_nowait(self, message: Data) -> int:
        """Send a message without waiting; return how many octets wait since the peer is slow.

        Past the option send_buffer_octets, the connection is cut. Raises ConnectionClosed, and
        LocalProtocolError while another message goes in fragments.
        """
        closed = self._ending or self._closing
        if closed is not None:
            raise closed.error()
        if not isinstance(message, (str, bytes)):
            message = bytes(message)
        self._connection.send_message(message)
        self._flush_corked()
        unsent: cython.Py_ssize_t = self._unsent_octets()
        if unsent > self._send_buffer_octets:
            self._give_up_on_sending()
        return unsent

    @cython.ccall
    def send_prepared(self, message: PreparedMessage) -> cython.bint:
        """Send a message that was prepared for many; where it cannot go at once, return False.

        That is while the peer does not read, another message goes in fragments, and behind the
        end; `wait_can_send()` tells which.
        """
        if not self._can_send():
            return False
        self._connection.send_prepared(message)
        self._flush_corked()
        return True

    @property
    def unsent_octets(self) -> int:
        """Octets that were sent and wait here, since the peer does not take them."""
        return self._unsent_octets()

    @cython.cfunc
    def _unsent_octets(self) -> cython.Py_ssize_t:
        waiting: cython.Py_ssize_t = self._connection.output_octets
        if self._link is not None:
            waiting += self._link._waiting_octets()
        elif not self._stream.is_closed:
            waiting += self._stream.write_buffer_octets
        return waiting

    @cython.cfunc
    def _flush_corked(self) -> None:
        """Flush at the end of the batch that is being handled, if one is."""
        if self._connection.output_octets < CORKED_OCTETS:
            if self._is_processing:
                return
            if self._cork is not None and not self._cork.is_open:
                if not self._is_corked:
                    self._is_corked = True
                    self._cork.hold(self)
                return
        self._write_output()

    def _flush(self) -> None:
        self._write_output()

    def _flush_and_end(self) -> None:
        """Flush, and end our direction alone where that can be.

        A socket closed with octets unread is reset, and the reset overtakes our Close.
        """
        if self._link is not None:
            self._link.announce_end()
        self._write_output()
        if self._stream.can_write_eof:
            self._stream.write_eof()
        else:
            self._stream.close()

    @cython.cfunc
    def send_held(self) -> None:
        """Send what was held back by a cork."""
        self._is_corked = False
        self._write_output()

    @cython.cfunc
    def _write_output(self) -> None:
        """Hand the stream what the connection has to say: the only place that does."""
        if self._connection.output_octets:
            output: bytes = self._connection.take_output()
            if self._link is None:
                self._stream.write(output)
            else:
                self._link.write(output)
        if self._frames:
            self._show_frames()

    # What a WebSocket has

    def _take(self, event: Event) -> None:
        """Take an event that is no message."""
        raise NotImplementedError

    def _fail(self, error: RemoteProtocolError) -> None:
        """Fail the connection: the peer has broken a rule."""
        raise NotImplementedError

    def _fail_callback(self, error: BaseException) -> None:
        """Close: a callback has failed."""
        raise NotImplementedError

    def _give_up_on_sending(self) -> None:
        """Cut the connection: the peer takes too little."""
        raise NotImplementedError

    def _show_frames(self) -> None:
        """Show to whoever observes what came and went."""
        raise NotImplementedError

    async def _let_others_run(self) -> None:
        """Let the other tasks run, and go on."""
        raise NotImplementedError

    async def _send_slowly(self, message: Data | Iterable[Data] | AsyncIterable[Data]) -> None:
        """Send what is no plain message, or cannot be sent at once."""
        raise NotImplementedError

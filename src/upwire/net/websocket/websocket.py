"""One open WebSocket over a Stream.

`wire.websocket.Connection` computes; this module waits. It reads in push mode into a bounded
queue, and writes from one place, `_flush()`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from upwire.errors import ConnectionClosed, LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.stream import Address, Stream
from upwire.net.websocket.options import WebSocketOptions
from upwire.net.websocket.pings import Pings
from upwire.net.websocket.receive_queue import ReceiveQueue
from upwire.wire.deflate import PerMessageDeflate
from upwire.wire.frames import CloseCode
from upwire.wire.handshake import Accepted
from upwire.wire.http1 import RequestHead, ResponseHead
from upwire.wire.websocket import (
    CloseReceived,
    Connection,
    Disconnected,
    Event,
    FrameInfo,
    Message,
    Ping,
    Pong,
    Role,
    State,
)

SENDS_BEFORE_YIELD = 64
"""After so many sends that need not wait, one lets the other tasks run."""

CONTROL_FRAMES_A_TURN = 256
"""After so many pings or pongs without a message, the other tasks run before more are read."""

Data = str | bytes | bytearray | memoryview


class WebSocket:
    """One open WebSocket.

    One task receives, with recv() or `async for`; any number may send. Cancelling recv() loses
    no message; a send() of one piece that is cancelled has sent nothing.

    request, response: the heads of the opening handshake, as they came and went.
    path_params: what the braces of the server's route stood for.
    context: the application's own notes; a server's process_request hook can begin them.
    id: text that no other connection has.
    """

    def __init__(
        self,
        stream: Stream,
        role: Role,
        request: RequestHead,
        response: ResponseHead,
        accepted: Accepted,
        *,
        options: WebSocketOptions,
        path_params: Mapping[str, str] | None = None,
        context: dict[str, Any] | None = None,  # Any: the values are the application's
        observe: Callable[[FrameInfo], None] | None = None,
    ) -> None:
        """Take over a stream behind the opening handshake that accepted sums up.

        observe: is called with every frame that came or went.
        """
        self.request = request
        self.response = response
        self.subprotocol = accepted.subprotocol
        self.path_params: Mapping[str, str] = path_params or {}
        self.context: dict[str, Any] = {} if context is None else context
        self.id = secrets.token_hex(8)
        self._stream = stream
        self._options = options
        self._observe = observe
        self._frames: list[FrameInfo] | None = None if observe is None else []
        deflate, is_client = accepted.deflate, role is Role.CLIENT
        self._connection = Connection(
            role,
            random_octets=secrets.token_bytes,
            max_message_octets=options.max_message_octets,
            deflate=None if deflate is None else PerMessageDeflate(deflate, is_client=is_client),
            frame_log=self._frames,
        )
        self._queue = ReceiveQueue(options.receive_queue_messages, options.receive_queue_octets)
        self._pings = Pings(
            self._send_ping,
            self._give_up_on_silence,
            lambda: not self._is_listening,
            interval_s=options.ping_interval_s,
            timeout_s=options.ping_timeout_s,
        )
        self._loop = asyncio.get_running_loop()
        self._receiver: asyncio.Future[None] | None = None
        self._look_ahead: asyncio.Handle | None = None
        self._sending = asyncio.Lock()
        self._sends_in_a_row = 0
        self._rest: asyncio.Task[None] | None = None  # from a flood of control frames
        self._close_timer: asyncio.TimerHandle | None = None
        self._closing: _Ending | None = None  # we began the closing handshake
        self._ending: _Ending | None = None  # nothing more comes
        self._loss_reason = ""
        stream.push_to(self)

    def __repr__(self) -> str:
        return f"<WebSocket {self.id} {self.request.target} {self.state.name}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, with 1011 if an error leaves the block."""
        is_fine = kind is None or kind is GeneratorExit
        await self.close(CloseCode.NORMAL_CLOSURE if is_fine else CloseCode.INTERNAL_ERROR)

    # What the connection is

    @property
    def state(self) -> State:
        """How far the closing handshake is."""
        return self._connection.state

    @property
    def remote_address(self) -> Address:
        """The address of whoever is at the other end: behind a proxy, the proxy's."""
        return self._stream.peer_address

    @property
    def local_address(self) -> Address:
        return self._stream.local_address

    @property
    def latency_s(self) -> float | None:
        """The last round trip of a ping; None before the first."""
        return self._pings.latency_s

    @property
    def close_code(self) -> int | None:
        """Why the WebSocket ended, as in ConnectionClosed; None while messages may come."""
        return None if self._ending is None else self._ending.code

    @property
    def close_reason(self) -> str | None:
        return None if self._ending is None else self._ending.reason

    @property
    def can_send(self) -> bool:
        """Whether send() would take a message at once."""
        is_open = self._closing is None and self._ending is None
        return is_open and self._stream.is_writable_now and not self._sending.locked()

    @property
    def unsent_octets(self) -> int:
        """Octets that were sent and wait here, since the peer does not take them."""
        return 0 if self._stream.is_closed else self._stream.write_buffer_octets

    # Receiving

    async def recv(self) -> str | bytes:
        """Return the next message: text as str, binary as bytes.

        Raises ConnectionClosed behind the last message.
        """
        if self._receiver is not None:
            raise LocalProtocolError("another task waits in recv() already")
        while not self._queue.messages:
            self._process()
            if self._queue.messages:
                break
            if self._ending is not None:
                raise self._ending.error()
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        was_full = self._queue.is_full
        message = self._queue.take()
        if was_full and not self._queue.is_full:
            self._listen()
        return message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        """Return the next message; the iteration ends where the WebSocket closes normally.

        Raises ConnectionClosed where it ends otherwise.
        """
        try:
            return await self.recv()
        except ConnectionClosed as closed:
            if closed.is_normal:
                raise StopAsyncIteration from None
            raise

    # Sending

    async def send(self, message: Data | Iterable[Data] | AsyncIterable[Data]) -> None:
        """Send a message: str as text, octets as binary, an iterable as one message in fragments.

        Waits while the peer does not read. Messages of several tasks never mix; control
        frames may go between fragments. An iterable that yields nothing sends nothing. One that
        fails, or is cancelled, behind its first fragment closes with 1011: what is sent
        cannot be taken back (RFC 6455 §5.4).

        Raises ConnectionClosed, or StreamError past the option send_timeout_s.
        """
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            self._sends_in_a_row += 1
            if self.can_send and self._sends_in_a_row < SENDS_BEFORE_YIELD:
                self._send_now(message)
            else:
                async with self._sending:
                    await self._wait_writable("sending a message")
                    self._send_now(message)
        elif isinstance(message, AsyncIterable):
            await self._send_fragments(message)
        elif isinstance(message, Iterable) and not isinstance(message, Mapping):
            await self._send_fragments(_each(message))
        else:
            raise TypeError(f"a message is str, bytes or an iterable of them, not {message!r:.80}")

    async def ping(self, payload: bytes | str | None = None) -> float:
        """Send a ping and return how long its pong took, in seconds.

        payload: 125 octets or fewer; random if None. Raises ConnectionClosed, or StreamError
        past the option ping_timeout_s.
        """
        if payload is None:
            payload = secrets.token_bytes(4)
        await self._wait_writable("sending a ping")
        try:
            return await self._pings.ping(payload.encode() if isinstance(payload, str) else payload)
        except TimeoutError:
            raise StreamError("no pong came", doing="pinging", is_timeout=True) from None

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close, and wait until the connection is gone; close_timeout_s bounds that.

        Messages that came before the peer's Close can still be received. Closing what is
        closed does nothing. Raises LocalProtocolError for a code or reason that may not be sent.
        """
        self.begin_close(code, reason)
        await self.wait_closed()

    def begin_close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Do as close() does, without waiting."""
        if self._closing is not None or self._ending is not None:
            return
        self._connection.send_close(code, reason)
        self._closing = _Ending(code, reason, is_remote=False)
        self._pings.stop()
        self._flush()
        self._bound_the_end()
        self._read_on()

    def abort(self) -> None:
        """Cut the connection, without a closing handshake."""
        self._read_on()
        self._stream.abort()

    async def wait_closed(self) -> None:
        """Wait until the connection is gone; messages that came before may still be received."""
        await self._stream.wait_closed()

    # Called by the stream

    def octets_received(self, octets: bytes) -> None:
        """Take what the peer sent."""
        self._pings.has_heard = True
        if self._ending is None:
            self._connection.feed(octets)
            self._process()
            if self._queue.messages and self._look_ahead is None:
                self._look_ahead = self._loop.call_soon(self._process_ahead)

    def eof_received(self) -> None:
        """Take the end of what the peer sends."""
        self._end_input("no Close came")
        self._stream.close()

    def stream_lost(self, error: StreamError | None) -> None:
        """Take the end of the connection."""
        self._end_input("" if error is None else error.message)
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._stream.push_to(None)  # nothing more comes, and no cycle keeps the memory

    # What came

    @property
    def _is_listening(self) -> bool:
        """Whether events are taken now; otherwise the stream is paused, or all is over."""
        return self._ending is None and self._rest is None and not self._queue.is_full

    def _listen(self) -> None:
        """Take what had to wait, and read on if that leaves room."""
        self._process(is_ahead=True)
        if self._is_listening:
            self._stream.resume()

    def _read_on(self) -> None:
        """Read to the end, even if nobody receives what comes before it."""
        self._queue.stop()
        self._listen()

    def _process_ahead(self) -> None:
        self._look_ahead = None
        self._process(is_ahead=True)

    def _process(self, *, is_ahead: bool = False) -> None:
        """Take the events of what came, up to a message, or ahead of recv() to a full queue.

        So a receiver that waits can answer a message before what follows it, such as a
        violation, closes the connection.
        """
        control_frames = 0
        try:
            while self._is_listening and (is_ahead or not self._queue.messages):
                event = self._connection.next_event()
                if event is None:
                    break
                self._take(event)
                control_frames += isinstance(event, (Ping, Pong))
                if control_frames == CONTROL_FRAMES_A_TURN:
                    break
        except RemoteProtocolError as error:
            self._fail(error)
        self._flush()
        if self._ending is not None:
            return
        is_blocked = control_frames > 0 and not self._stream.is_writable_now
        if is_blocked or control_frames == CONTROL_FRAMES_A_TURN:
            self._rest = self._loop.create_task(self._let_pongs_leave())
        if not self._is_listening:
            self._stream.pause()

    def _take(self, event: Event) -> None:
        match event:
            case Message(data):
                self._queue.put(data)
                self._wake_receiver()
            case Ping():
                pass  # its Pong is flushed with those of the frames behind it
            case Pong(payload):
                self._pings.acknowledge(payload)
            case CloseReceived(code, reason):
                self._finish(self._read_ending(code, reason))
            case Disconnected():
                self._finish(self._abnormal_closure())

    async def _let_pongs_leave(self) -> None:
        """Let the other tasks run, and read no more pings of a peer that takes no pongs."""
        try:
            with suppress(StreamError):  # stream_lost() tells
                await self._stream.drain(doing="sending pongs")
        finally:
            self._rest = None
            self._listen()

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    # How it ends

    def _end_input(self, reason: str) -> None:
        """Take the end of the octets; if there was no Close, reason says what happened."""
        if self._ending is None:
            self._loss_reason = self._loss_reason or reason
            self._connection.feed_eof()
            self._process(is_ahead=True)

    def _fail(self, error: RemoteProtocolError) -> None:
        """Fail the connection: a Close that says why, and its answer is not read (§7.1.7)."""
        self._connection.fail(error)
        reason = self._connection.close_reason
        self._finish(_Ending(error.close_code, reason, is_remote=False))
        self._end_output()

    def _give_up_on_silence(self) -> None:
        code = CloseCode.INTERNAL_ERROR
        self._fail(RemoteProtocolError("keepalive ping timeout", close_code=code))

    def _read_ending(self, code: int, reason: str) -> _Ending:
        """Tell how it ends by the peer's Close (§7.1.5); a mere answer leaves us our reason."""
        ours = self._closing
        if ours is not None and code in (ours.code, CloseCode.NO_STATUS_RECEIVED):
            return ours
        return _Ending(code, reason, is_remote=ours is None)

    def _abnormal_closure(self) -> _Ending:
        code = CloseCode.ABNORMAL_CLOSURE
        return _Ending(code, self._loss_reason, is_remote=self._closing is None)

    def _finish(self, ending: _Ending) -> None:
        """Settle how the WebSocket ended, tell who waits, and see the stream off."""
        self._ending = ending
        self._flush()
        self._wake_receiver()
        self._pings.end(ending.error)
        if self._connection.role is Role.SERVER:
            self._end_output()  # the server closes first (RFC 6455 §7.1.1)
        self._bound_the_end()
        self._stream.resume()  # what still comes is dropped, but its end is awaited

    def _end_output(self) -> None:
        """End our direction alone where that can be.

        A socket closed with octets unread is reset, and the reset overtakes our Close.
        """
        if self._stream.can_write_eof:
            self._stream.write_eof()
        else:
            self._stream.close()

    def _bound_the_end(self) -> None:
        if self._close_timer is None:
            timeout_s = self._options.close_timeout_s
            self._close_timer = self._loop.call_later(timeout_s, self._give_up_on_close)

    def _give_up_on_close(self) -> None:
        self._loss_reason = f"the peer did not close within {self._options.close_timeout_s:g} s"
        self.abort()

    # What goes

    def _flush(self) -> None:
        """Hand the stream what the connection has to say: the only place that does."""
        if output := self._connection.take_output():
            self._stream.write(output)
        if self._frames and self._observe is not None:
            frames = self._frames.copy()
            self._frames.clear()
            for frame in frames:
                self._observe(frame)

    def _check_open(self) -> None:
        closed = self._ending or self._closing
        if closed is not None:
            raise closed.error()

    async def _wait_writable(self, doing: str) -> None:
        """Wait while the peer does not read; where it does, let the other tasks run once."""
        self._check_open()
        self._sends_in_a_row = 0
        try:
            if self._stream.is_writable_now:
                await asyncio.sleep(0)
            else:
                await self._stream.drain(timeout_s=self._options.send_timeout_s, doing=doing)
        except StreamError as error:
            if error.is_timeout:
                raise
            raise (self._ending or self._closing or self._abnormal_closure()).error() from error
        self._check_open()

    def _send_now(self, message: Data) -> None:
        self._connection.send_message(_plain(message))
        self._flush()

    def _send_ping(self, payload: bytes) -> None:
        self._connection.send_ping(payload)
        self._flush()
        if self._stream.is_closed:  # lost while we did not read, so that nobody told
            self._loop.call_soon(self._read_on)

    async def _send_fragments(self, fragments: AsyncIterable[Data]) -> None:
        """Send each fragment as it comes, and an empty one to end the message."""
        last: str | bytes | None = None
        async with self._sending:
            try:
                async for fragment in fragments:
                    await self._wait_writable("sending a fragment")
                    piece = _plain(fragment)
                    self._connection.send_fragment(piece, is_final=False)
                    self._flush()
                    last = piece
            except BaseException:
                if last is not None:
                    self.begin_close(CloseCode.INTERNAL_ERROR, "a message was cut off")
                raise
            if last is not None:
                self._check_open()
                self._connection.send_fragment(last[:0], is_final=True)
                self._flush()


@dataclass(frozen=True, slots=True)
class _Ending:
    """How the WebSocket ended; see ConnectionClosed."""

    code: int
    reason: str
    is_remote: bool

    def error(self) -> ConnectionClosed:
        """Return a new exception: one that is raised again would gather everyone's traceback."""
        return ConnectionClosed(self.code, self.reason, is_remote=self.is_remote)


async def _each(items: Iterable[Data]) -> AsyncIterator[Data]:
    for item in items:
        yield item


def _plain(data: Data) -> str | bytes:
    return data if isinstance(data, (str, bytes)) else bytes(data)

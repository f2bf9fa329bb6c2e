"""One open WebSocket over a Stream.

`wire.websocket.Connection` computes; this module waits. Messages pass through `Channel`, below
it; here is what is rare: pings, fragments, the closing handshake.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

from upwire.errors import ConnectionClosed, LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.engine._link import Link
from upwire.net.engine._taker import Cork
from upwire.net.engine.driver import settle
from upwire.net.engine.transport import LinkTransport
from upwire.net.stream import Address, Stream
from upwire.net.websocket._channel import Channel, Data
from upwire.net.websocket.callbacks import APPLICATION_FAILURES, Callbacks
from upwire.net.websocket.ending import Ending
from upwire.net.websocket.options import WebSocketOptions
from upwire.net.websocket.pings import Pings
from upwire.net.websocket.receive_queue import ReceiveQueue
from upwire.wire.deflate import PerMessageDeflate
from upwire.wire.frames import CloseCode, cut_reason
from upwire.wire.handshake import Accepted
from upwire.wire.http1 import (
    HeadLimits,
    RequestHead,
    RequestHeadParser,
    ResponseHead,
    ResponseHeadParser,
    serialize_request,
    serialize_response,
)
from upwire.wire.websocket import (
    CloseReceived,
    Connection,
    Disconnected,
    Event,
    FrameInfo,
    Pong,
    Role,
    State,
)

logger = logging.getLogger("upwire.websocket")

_ANY_LIMITS = HeadLimits(line_octets=2**31, head_octets=2**31, field_count=2**31)  # it was read
_NO_PARAMS: Mapping[str, str] = MappingProxyType({})
_Head = TypeVar("_Head")


class WebSocket(Channel):
    """One open WebSocket.

    One task receives, with recv() or `async for`; any number may send. Cancelling recv() loses
    no message; a send() of one piece that is cancelled has sent nothing.

    path_params: what the braces of the server's route stood for.
    """

    __slots__ = (
        "_close_timer",
        "_context",
        "_heads",
        "_id",
        "_loss_reason",
        "_observe",
        "_options",
        "_pings",
        "path_params",
        "subprotocol",
    )

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
        self.subprotocol = accepted.subprotocol
        self.path_params: Mapping[str, str] = path_params or _NO_PARAMS
        self._heads = serialize_request(request) + serialize_response(response)
        self._context = context or None
        self._id = ""
        self._options = options
        self._observe = observe
        frames: list[FrameInfo] | None = None if observe is None else []
        self._close_timer: asyncio.TimerHandle | None = None
        self._loss_reason = ""
        deflate, is_client = accepted.deflate, role is Role.CLIENT
        connection = Connection(
            role,
            random_octets=secrets.token_bytes,
            max_message_octets=options.max_message_octets,
            deflate=None if deflate is None else PerMessageDeflate(deflate, is_client=is_client),
            frame_log=frames,
        )
        carrier, cork, early = _carry(stream)
        queue = ReceiveQueue(options.receive_queue_messages, options.receive_queue_octets)
        super().__init__(connection, carrier, cork, queue, options.send_buffer_octets, frames)
        self._pings = Pings(
            self, interval_s=options.ping_interval_s, timeout_s=options.ping_timeout_s
        )
        carrier.push_to(self)
        if early:
            self.octets_received(early)

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
    def request(self) -> RequestHead:
        """The request of the opening handshake; made anew from its octets each time."""
        return self._split_heads()[0]

    @property
    def response(self) -> ResponseHead:
        """The response of the opening handshake; made anew from its octets each time."""
        head, _ = _found(ResponseHeadParser(_ANY_LIMITS).parse(self._split_heads()[1]))
        return head

    def _split_heads(self) -> tuple[RequestHead, bytes]:
        """Return the request, and the octets of the response."""
        head, octets = _found(RequestHeadParser(_ANY_LIMITS).parse(self._heads))
        return head, self._heads[octets:]

    @property
    def context(self) -> dict[str, Any]:
        """The application's own notes; a server's process_request hook can begin them."""
        if self._context is None:
            self._context = {}
        return self._context

    @property
    def id(self) -> str:
        """Text that no other connection has."""
        self._id = self._id or secrets.token_hex(8)
        return self._id

    @property
    def state(self) -> State:
        """How far the closing handshake is."""
        state: State = self._connection.state
        return state

    @property
    def remote_address(self) -> Address:
        """The address of whoever is at the other end: behind a proxy, the proxy's."""
        address: Address = self._stream.peer_address
        return address

    @property
    def local_address(self) -> Address:
        address: Address = self._stream.local_address
        return address

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

    # Sending

    async def _send_slowly(self, message: Data | Iterable[Data] | AsyncIterable[Data]) -> None:
        """Send what is no plain message, or cannot be sent at once."""
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            async with self._lock_sending():
                await self._wait_writable("sending a message")
                self._connection.send_message(_plain(message))
                self._flush()
        elif isinstance(message, AsyncIterable):
            await self._send_fragments(message)
        elif isinstance(message, Iterable) and not isinstance(message, Mapping):
            await self._send_fragments(_each(message))
        else:
            raise TypeError(f"a message is str, bytes or an iterable of them, not {message!r:.80}")

    async def wait_can_send(self) -> None:
        """Wait until a message can go at once, which holds until another task runs.

        Raises ConnectionClosed, or StreamError past the option send_timeout_s.
        """
        async with self._lock_sending():
            await self._wait_writable("sending a message")

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
        self._closing = Ending(code, reason, is_remote=False)
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

    # Callbacks

    def push_to(self, callbacks: Callbacks | None) -> None:
        """Call on_message of callbacks with each message, from now on, and on_close at the end.

        First on_open, then with those that wait for recv(), which raises LocalProtocolError
        meanwhile. None goes back to recv(). Raises LocalProtocolError while a task waits there.
        """
        if self._is_receiving:
            raise LocalProtocolError("a task waits in recv()")
        self._callbacks = callbacks
        if callbacks is None:
            return
        self._call_on_open(callbacks)
        self._deliver_queued()
        self._listen()
        if self._ending is not None:
            self._loop.call_soon(self._call_on_close)

    def pause(self) -> None:
        """Call back with no message until `resume()`; a peer that goes on sending is slowed."""
        self._is_paused = True
        self._stream.pause()

    def resume(self) -> None:
        """Call back again, first with what came before the pause."""
        self._is_paused = False
        self._deliver_queued()
        self._listen()

    def _call_on_open(self, callbacks: Callbacks) -> None:
        try:
            callbacks.on_open(self)
        except APPLICATION_FAILURES as error:
            self._fail_callback(error)

    def _call_on_close(self) -> None:
        callbacks, self._callbacks = self._callbacks, None
        if callbacks is not None and self._ending is not None:
            try:
                callbacks.on_close(self, self._ending.error())
            except APPLICATION_FAILURES:
                logger.exception("on_close failed for %r", self)

    # Called by the stream

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

    def _read_on(self) -> None:
        """Read to the end, even if nobody receives what comes before it."""
        self._queue.stop()
        self._is_paused = False
        self._listen()

    def _take(self, event: Event) -> None:
        match event:
            case Pong(payload):
                self._pings.acknowledge(payload)
            case CloseReceived(code, reason):
                self._finish(self._read_ending(code, reason))
            case Disconnected():
                self._finish(self._abnormal_closure())

    async def _let_others_run(self) -> None:
        """Let the other tasks run, and read no more pings of a peer that takes no pongs."""
        try:
            with suppress(StreamError):  # stream_lost() tells
                await self._stream.drain(doing="sending pongs")
            await asyncio.sleep(0)
        finally:
            self._rest = None
            self._listen()

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
        self._finish(Ending(error.close_code, reason, is_remote=False))
        self._flush_and_end()

    def _give_up_on_silence(self) -> None:
        code = CloseCode.INTERNAL_ERROR
        self._fail(RemoteProtocolError("keepalive ping timeout", close_code=code))

    def _read_ending(self, code: int, reason: str) -> Ending:
        """Tell how it ends by the peer's Close (§7.1.5); a mere answer leaves us our reason."""
        ours = self._closing
        if ours is not None and code in (ours.code, CloseCode.NO_STATUS_RECEIVED):
            return ours
        return Ending(code, reason, is_remote=ours is None)

    def _abnormal_closure(self) -> Ending:
        code = CloseCode.ABNORMAL_CLOSURE
        return Ending(code, self._loss_reason, is_remote=self._closing is None)

    def _finish(self, ending: Ending) -> None:
        """Settle how the WebSocket ended, tell who waits, and see the stream off."""
        self._ending = ending
        if self._connection.role is Role.SERVER:
            self._flush_and_end()  # the server closes first (RFC 6455 §7.1.1)
        else:
            self._flush()
        self._wake_receiver()
        self._pings.end(ending.error)
        if self._callbacks is not None:
            self._loop.call_soon(self._call_on_close)
        self._bound_the_end()
        self._stream.resume()  # what still comes is dropped, but its end is awaited

    def _fail_callback(self, error: BaseException) -> None:
        """Close as a handler that fails does: 1011, and no details."""
        if isinstance(error, RemoteProtocolError):
            self.begin_close(error.close_code, cut_reason(error.message))
            return
        if isinstance(error, ConnectionClosed):
            logger.debug("%r: %s", self, error)
        else:
            logger.error("a callback failed for %r", self, exc_info=error)
        self.begin_close(CloseCode.INTERNAL_ERROR)

    def _give_up_on_sending(self) -> None:
        self._loss_reason = f"the peer does not take {self.unsent_octets} octets"
        self.abort()

    def _bound_the_end(self) -> None:
        if self._close_timer is None:
            timeout_s = self._options.close_timeout_s
            self._close_timer = self._loop.call_later(timeout_s, self._give_up_on_close)

    def _give_up_on_close(self) -> None:
        self._loss_reason = f"the peer did not close within {self._options.close_timeout_s:g} s"
        self.abort()

    # What goes

    def _show_frames(self) -> None:
        """Show to whoever observes what came and went."""
        assert self._observe is not None
        assert self._frames is not None
        frames = self._frames.copy()
        self._frames.clear()
        try:
            for frame in frames:
                self._observe(frame)
        except APPLICATION_FAILURES:
            logger.exception("observe failed for %r", self)

    def _check_open(self) -> None:
        closed = self._ending or self._closing
        if closed is not None:
            raise closed.error()

    def _lock_sending(self) -> asyncio.Lock:
        """Return what keeps messages apart that are not sent in one go."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

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

    def _send_ping(self, payload: bytes) -> None:
        self._connection.send_ping(payload)
        self._flush()
        if self._stream.is_closed:  # lost while we did not read, so that nobody told
            self._loop.call_soon(self._read_on)

    async def _send_fragments(self, fragments: AsyncIterable[Data]) -> None:
        """Send each fragment as it comes, and an empty one to end the message."""
        last: str | bytes | None = None
        async with self._lock_sending():
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


def _carry(stream: Stream) -> tuple[Stream | Link, Cork | None, bytes]:
    """Return what carries the octets from now on, and what the Stream has read if it does not."""
    can_detach = stream.can_lend and not stream.is_eof  # of its end, a Link tells only once
    if isinstance(stream.transport, LinkTransport) and can_detach:
        link = stream.transport.detach()
        return link, settle(link), stream.give_up()
    return stream, None, b""


def _found(parsed: tuple[_Head, int] | None) -> tuple[_Head, int]:
    """Return what was parsed: octets of ours are whole heads."""
    assert parsed is not None
    return parsed


async def _each(items: Iterable[Data]) -> AsyncIterator[Data]:
    for item in items:
        yield item


def _plain(data: Data) -> str | bytes:
    return data if isinstance(data, (str, bytes)) else bytes(data)

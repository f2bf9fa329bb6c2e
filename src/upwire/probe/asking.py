"""One request and its answer, whatever comes; and what follows a 101."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass

from upwire.errors import (
    ConnectError,
    RemoteProtocolError,
    StreamError,
    UpwireError,
)
from upwire.net.http1 import HttpClientConnection
from upwire.net.stream import Stream
from upwire.probe.hops import Dialer
from upwire.probe.received import Received, decode
from upwire.wire.deflate import DeflateOptions, DeflateParameters, PerMessageDeflate, check_answer
from upwire.wire.http1 import RequestHead, ResponseHead
from upwire.wire.websocket import (
    CloseReceived,
    Connection,
    Disconnected,
    Event,
    Message,
    Pong,
    Role,
    State,
)

BODY_OCTETS_MAX = 65536
GREETING_TIMEOUT_S = 0.25
"""How long a first message is waited for where nothing says that one will come."""

_CLOSE_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    response None: no head came, and error says why. body: the content's beginning. took_s: from
    the request to the head. received: what a backend of ours has seen of the request.
    """

    request: RequestHead
    response: ResponseHead | None = None
    body: bytes = b""
    took_s: float = 0.0
    error: str = ""
    received: Received | None = None

    @property
    def status(self) -> int:
        """The status, 0 where no head came."""
        return 0 if self.response is None else self.response.status

    @property
    def is_open(self) -> bool:
        """Whether the server switched protocols."""
        return self.status == 101

    def field(self, name: str) -> str:
        """The value of a field of the answer, "" where it is missing."""
        return "" if self.response is None else self.response.headers.combined(name) or ""


class Conversation:
    """An open WebSocket, each event of it with a deadline."""

    def __init__(self, stream: Stream, deflate: DeflateParameters | None = None) -> None:
        self.stream = stream
        self.connection = Connection(
            Role.CLIENT,
            random_octets=secrets.token_bytes,
            deflate=None if deflate is None else PerMessageDeflate(deflate, is_client=True),
        )

    @property
    def can_send(self) -> bool:
        """Whether the server has not begun to close, as far as is known."""
        return self.connection.state is State.OPEN and not self.stream.is_closed

    def send(self, data: str | bytes) -> None:
        """Send a message; nothing where the server has begun to close."""
        if self.can_send:
            self.connection.send_message(data)
            self.flush()

    async def next_event(self, timeout_s: float) -> Event | None:
        """Return what comes next, None where nothing does in time.

        Raises RemoteProtocolError for a frame that breaks a rule, StreamError for a reset.
        """
        deadline_s = time.monotonic() + timeout_s
        while (event := self.connection.next_event()) is None:
            self.flush()
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or self.connection.state is State.CLOSED:
                return None
            try:
                octets = await self.stream.read(timeout_s=left_s, doing="waiting for a frame")
            except StreamError as error:
                if error.is_timeout:
                    return None
                raise
            if octets:
                self.connection.feed(octets)
            else:
                self.connection.feed_eof()
        self.flush()
        return event

    async def next_message(self, timeout_s: float) -> str | bytes | None:
        """Return the next message; None where none comes in time, or the connection ends."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            event = await self.next_event(left_s)
            if isinstance(event, Message):
                return event.data
            if event is None or isinstance(event, (CloseReceived, Disconnected)):
                return None
        return None

    async def ping(self, timeout_s: float) -> float | None:
        """Return how long a pong takes, in seconds; None where none comes in time."""
        if not self.can_send:
            return None
        payload = secrets.token_bytes(4)
        started_s = time.monotonic()
        self.connection.send_ping(payload)
        while (left_s := started_s + timeout_s - time.monotonic()) > 0:
            event = await self.next_event(left_s)
            if isinstance(event, Pong) and event.payload == payload:
                return time.monotonic() - started_s
            if event is None or isinstance(event, (CloseReceived, Disconnected)):
                return None
        return None

    def flush(self) -> None:
        """Send what is queued; the octets are few, and nobody waits for them."""
        octets = self.connection.take_output()
        if octets and not self.stream.is_closed:
            self.stream.write(octets)

    async def close(self) -> None:
        """Close as one should, and wait a little until the gateways between have done so too."""
        with contextlib.suppress(UpwireError, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._end()
        self.stream.close()

    async def _end(self) -> None:
        if self.connection.state is State.OPEN:
            self.connection.send_close()
        while await self.next_event(_CLOSE_TIMEOUT_S) is not None:
            pass
        while await self.stream.read():
            pass


class Asker:
    """Asks one hop, over a new connection each time."""

    def __init__(self, dialer: Dialer) -> None:
        self.dialer = dialer
        self.greets: bool | None = None
        """Whether a backend of ours is behind this hop, with its first message; None: not known."""

    async def ask(self, request: RequestHead, *, preface: bytes = b"") -> Answer:
        """Return what comes of a request; a connection that it opens is closed again.

        preface: what to send in front of it.
        """
        answer, conversation = await self.open(request, preface=preface)
        if conversation is not None:
            await conversation.close()
        return answer

    async def open(
        self, request: RequestHead, *, preface: bytes = b""
    ) -> tuple[Answer, Conversation | None]:
        """Return what comes of a request, and the WebSocket where it opened one."""
        try:
            stream, _ = await self.dialer.dial()
        except ConnectError as error:
            return Answer(request, error=str(error)), None
        conversation: Conversation | None = None
        try:
            if preface:
                stream.write(preface)
            answer, conversation = await self._exchange(stream, request)
        finally:
            if conversation is None:
                stream.abort()
        return answer, conversation

    async def _exchange(
        self, stream: Stream, request: RequestHead
    ) -> tuple[Answer, Conversation | None]:
        timeout_s, started_s = self.dialer.timeout_s, time.monotonic()
        http = HttpClientConnection(stream, send_timeout_s=timeout_s)
        try:
            await http.send_head(request)
            response = await http.read_head(timeout_s=timeout_s)
        except (RemoteProtocolError, StreamError) as error:
            return Answer(request, error=str(error), took_s=time.monotonic() - started_s), None
        took_s = time.monotonic() - started_s
        if response.status != 101:
            body = await _read_some(http, timeout_s)
            return Answer(request, response, body, took_s, received=self._note(body)), None
        conversation = Conversation(http.switch(), _agreed(request, response))
        greeting = b"" if not _is_websocket(response) else await self._greeting(conversation)
        told = self._note(greeting, conclude=self.greets is None)
        return Answer(request, response, b"", took_s, received=told), conversation

    async def _greeting(self, conversation: Conversation) -> str | bytes:
        if self.greets is False:
            return b""
        timeout_s = self.dialer.timeout_s if self.greets else GREETING_TIMEOUT_S
        try:
            return await conversation.next_message(timeout_s) or b""
        except (RemoteProtocolError, StreamError):
            return b""

    def _note(self, text: str | bytes, *, conclude: bool = False) -> Received | None:
        received = decode(text) if text else None
        if received is not None or conclude:
            self.greets = received is not None
        return received


def _agreed(request: RequestHead, response: ResponseHead) -> DeflateParameters | None:
    if "Sec-WebSocket-Extensions" not in request.headers:
        return None
    try:
        chosen = response.headers.get_all("Sec-WebSocket-Extensions")
        return check_answer(chosen, DeflateOptions())
    except RemoteProtocolError:
        return None  # judged where the whole answer is


def _is_websocket(response: ResponseHead) -> bool:
    return (response.headers.get("Upgrade") or "").lower() == "websocket"


async def _read_some(http: HttpClientConnection, timeout_s: float) -> bytes:
    """Return the beginning of an answer's content, as far as it comes."""
    body = bytearray()
    deadline_s = time.monotonic() + timeout_s
    with contextlib.suppress(StreamError, RemoteProtocolError):
        while len(body) < BODY_OCTETS_MAX and (left_s := deadline_s - time.monotonic()) > 0:
            octets = await http.read(timeout_s=left_s)
            if not octets:
                break
            body += octets
    return bytes(body[:BODY_OCTETS_MAX])

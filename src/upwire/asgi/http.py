# cython: annotation_typing=False
"""One plain request as an application sees it: `receive` and `send` over an HttpExchange."""

from __future__ import annotations

import asyncio
import enum
import os
from typing import BinaryIO

from upwire.asgi.client_watch import ClientWatch
from upwire.asgi.interface import Message, message_type, read_body, read_headers, unexpected
from upwire.errors import ClientDisconnected, LocalProtocolError, RemoteProtocolError, StreamError
from upwire.net.http1 import HttpExchange
from upwire.net.waiting import wake
from upwire.server.answer import date
from upwire.wire.fields import Headers
from upwire.wire.http1 import ResponseHead, reason_phrase

PIECE_OCTETS = 256 * 1024
"""So much of a file is read at a time."""


class State(enum.Enum):
    """How far the response is."""

    AWAITED = enum.auto()  # nothing of it came from the application
    BEGUN = enum.auto()  # its head came, and is sent with the first octets of content
    SENT = enum.auto()  # the head is sent, content follows
    TRAILERS = enum.auto()  # the content is sent, trailers follow
    COMPLETE = enum.auto()


class HttpCycle:
    """One request and its response.

    finished: a future, done once the connection may go on: the response is complete, or nothing
    follows. fault: what was wrong with the request's content, once it was read.
    """

    __slots__ = (
        "_exchange",
        "_has_trailers",
        "_head",
        "_is_content_read",
        "_is_told",
        "_trailers",
        "_watch",
        "fault",
        "finished",
        "state",
    )

    def __init__(self, exchange: HttpExchange) -> None:
        self.state = State.AWAITED
        self.fault: RemoteProtocolError | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._exchange = exchange
        self._head: ResponseHead | None = None
        self._has_trailers = False
        self._trailers: Headers | None = None
        self._is_content_read = False
        self._is_told = False
        self._watch: ClientWatch | None = None

    @property
    def status(self) -> int:
        """The status of the response; an error's where nothing of the application's was sent."""
        if self._head is not None and self.state is not State.BEGUN:
            return self._head.status
        return 500 if self.fault is None else self.fault.status

    # What the application calls

    async def receive(self) -> Message:
        """Return the next octets of the content, and behind its end the client's end."""
        if self.state is State.COMPLETE or self._is_told:
            return {"type": "http.disconnect"}
        if not self._is_content_read:
            try:
                return await self._receive_content()
            except StreamError:
                self._is_told = True
            except RemoteProtocolError as fault:  # can be answered still, and nothing behind it
                self._is_told = True
                self.fault = fault
                self._exchange.client_persists = False
            return {"type": "http.disconnect"}
        if self._watch is None:
            self._watch = ClientWatch(self._exchange.stream)
        await self._watch.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message of the response.

        Raises LocalProtocolError for what has no place, ClientDisconnected where nobody is left.
        """
        kind = message_type(message)
        if self.finished.done() and self.state is not State.COMPLETE:
            raise ClientDisconnected("the client is gone")
        try:
            if kind == "http.response.start":
                self._begin(message)
            elif kind == "http.response.body":
                body = read_body(message)
                if self._is_whole(message):
                    await self._send_whole(body)
                else:
                    await self._send_body(message, body)
            elif kind == "http.response.pathsend":
                await self._send_file(message)
            elif kind == "http.response.trailers":
                await self._send_trailers(message)
            else:
                raise unexpected(message, "for a plain request")
        except StreamError as error:
            raise ClientDisconnected(str(error)) from None

    # What the mount calls

    def tell_stop(self) -> None:
        """Tell an application that waits for the client's end that it has come."""
        if self._is_content_read:
            self._is_told = True
        if self._watch is not None:
            self._watch.tell()

    def finish(self) -> None:
        """Let the connection go on; the application may, but has nothing more to say."""
        if self._watch is not None:
            self._watch.end()
        wake(self.finished)

    # Receiving

    async def _receive_content(self) -> Message:
        octets = await self._exchange.read()
        is_last = not octets or self._exchange.is_content_complete
        self._is_content_read = is_last
        return {"type": "http.request", "body": octets, "more_body": not is_last}

    # Sending

    def _begin(self, message: Message) -> None:
        if self.state is not State.AWAITED:
            raise unexpected(message, "behind the response's start")
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise LocalProtocolError(f"a response's status is 200 or more, not {status!r:.80}")
        headers = read_headers(message.get("headers", ()))
        if "Date" not in headers:
            headers.add("Date", date())
        headers.remove("Transfer-Encoding")  # the framing is the server's
        self._head = ResponseHead(int(status), reason_phrase(status), headers=headers)
        self._has_trailers = bool(message.get("trailers", False))
        self.state = State.BEGUN

    def _is_whole(self, message: Message) -> bool:
        """Whether a body is all the content, and the end of the response."""
        if self.state is not State.BEGUN or self._has_trailers:
            return False
        return not message.get("more_body")

    async def _send_body(self, message: Message, body: bytes) -> None:
        await self._send_piece(message, body)
        if not message.get("more_body"):
            await self._end_content()

    async def _send_whole(self, body: bytes) -> None:
        head = self._head
        assert head is not None  # it came, by the state
        self.state = State.SENT
        if "Content-Length" in head.headers:
            await self._exchange.send_whole(head, body)
        else:
            await self._exchange.respond(head.status, headers=head.headers, body=body)
        self._complete()

    async def _send_piece(self, message: Message, octets: bytes) -> None:
        if self.state is State.BEGUN:
            assert self._head is not None  # it came, by the state
            self.state = State.SENT
            await self._exchange.start(self._head, octets)
        elif self.state is not State.SENT:
            where = "before the response's start"
            is_early = self.state is State.AWAITED
            raise unexpected(message, where if is_early else "behind the response's end")
        elif octets:
            await self._exchange.send(octets)

    async def _end_content(self) -> None:
        if self._has_trailers:
            self.state = State.TRAILERS
            return
        await self._exchange.finish()
        self._complete()

    async def _send_trailers(self, message: Message) -> None:
        if self.state is not State.TRAILERS:
            raise unexpected(message, "where no trailers are due")
        if self._trailers is None:
            self._trailers = Headers()
        for name, value in read_headers(message.get("headers", ())).items():
            self._trailers.add(name, value)
        if not message.get("more_trailers", False):
            await self._exchange.finish(self._trailers)
            self._complete()

    async def _send_file(self, message: Message) -> None:
        """Send a file as the content. Its length is declared, unless the application does that."""
        if self.state is not State.BEGUN:
            raise unexpected(message, "without the response's start before it")
        path = message.get("path")
        if not isinstance(path, str):
            raise LocalProtocolError(f"http.response.pathsend has a path, not {path!r:.80}")
        file, size_octets = await asyncio.to_thread(_open, path)
        with file:
            assert self._head is not None  # it came, by the state
            if "Content-Length" not in self._head.headers and not self._has_trailers:
                self._head.headers.add("Content-Length", str(size_octets))
            while octets := await asyncio.to_thread(file.read, min(PIECE_OCTETS, size_octets)):
                size_octets -= len(octets)
                await self._send_piece(message, octets)
        if self.state is State.BEGUN:
            await self._send_piece(message, b"")
        await self._end_content()

    def _complete(self) -> None:
        self.state = State.COMPLETE
        self.finish()


def _open(path: str) -> tuple[BinaryIO, int]:
    """Open a file, and return its size."""
    file = open(path, "rb")  # noqa: SIM115  # the caller closes it
    return file, os.fstat(file.fileno()).st_size

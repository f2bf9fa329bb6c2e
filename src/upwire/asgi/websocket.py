"""One WebSocket as an application sees it, from its opening handshake to its end."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import replace
from typing import Any

from upwire.asgi.client_watch import ClientWatch
from upwire.asgi.interface import Message, message_type, read_body, read_headers, unexpected
from upwire.errors import (
    ClientDisconnected,
    ConnectionClosed,
    LocalProtocolError,
    RemoteProtocolError,
    StreamError,
)
from upwire.net.http1 import HttpExchange
from upwire.net.waiting import wake
from upwire.net.websocket import WebSocket
from upwire.server.answer import date, refuse
from upwire.server.mounting import Site
from upwire.wire.frames import CloseCode, cut_reason
from upwire.wire.handshake import Accepted
from upwire.wire.http1 import ResponseHead, reason_phrase
from upwire.wire.websocket import Role

_OWN_FIELDS = ("connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions")
_GONE = {"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE, "reason": ""}


class State(enum.Enum):
    """How far it is."""

    CONNECTING = enum.auto()  # the application is to accept it
    DENYING = enum.auto()  # it refuses with a response of its own
    OPEN = enum.auto()
    CLOSED = enum.auto()  # by the application, or refused


class WebSocketCycle:
    """One opening handshake, and the WebSocket that it may open."""

    __slots__ = (
        "_accepted",
        "_denial",
        "_exchange",
        "_is_told",
        "_site",
        "_watch",
        "decided",
        "state",
        "ws",
    )

    def __init__(self, exchange: HttpExchange, accepted: Accepted, site: Site) -> None:
        self.state = State.CONNECTING
        self.ws: WebSocket | None = None
        self.decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the handshake is answered."""
        self._exchange: HttpExchange | None = exchange
        self._accepted: Accepted | None = accepted
        self._site = site
        self._watch: ClientWatch | None = ClientWatch(exchange.stream)
        self._denial: ResponseHead | None = None
        self._is_told = False  # that a client connects

    # What the application calls

    async def receive(self) -> Message:
        """Return the next message, and at the end why there are no more."""
        if not self._is_told:
            self._is_told = True
            return {"type": "websocket.connect"}
        ws = self.ws
        if ws is None:
            ws = await self._wait_open()
            if ws is None:
                return dict(_GONE)
        try:
            if self.state is State.CLOSED:
                await ws.wait_closed()
            message = await ws.recv()
            while self.state is State.CLOSED:
                message = await ws.recv()  # came before the peer's Close, and nobody wants it
        except ConnectionClosed as closed:
            return {
                "type": "websocket.disconnect",
                "code": int(closed.code),
                "reason": closed.reason,
            }
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    async def send(self, message: Message) -> None:
        """Take a message.

        Raises LocalProtocolError for what has no place, ClientDisconnected where nobody is left.
        """
        try:
            if self.state is State.OPEN and message["type"] == "websocket.send":
                assert self.ws is not None  # it is open
                await self.ws.send(_data_of(message))
                return
            await self._take(message_type(message), message)
        except (ConnectionClosed, StreamError) as error:
            raise ClientDisconnected(str(error)) from None
        except (KeyError, TypeError):
            message_type(message)  # raises what says why
            raise

    # What the mount calls

    def tell_stop(self) -> None:
        """Tell an application that has not accepted yet that nobody is left to accept."""
        if self._watch is not None:
            self._watch.tell()

    async def fail(self) -> None:
        """Answer for an application that has failed: 500, or a Close with 1011."""
        if self.ws is not None:
            self.ws.begin_close(CloseCode.INTERNAL_ERROR)
        elif self.state is not State.CLOSED and self._exchange is not None:
            await self._refuse("the server has failed", 500)

    async def end(self) -> None:
        """Answer for an application that has returned: a Close, or a refusal where none came."""
        if self.ws is not None:
            self.ws.begin_close()
        else:
            await self.fail()

    def decide(self) -> None:
        """Let the connection go on."""
        self._unwatch()
        self._exchange = None
        self._accepted = None
        wake(self.decided)

    # The opening handshake

    async def _take(self, kind: str, message: Message) -> None:
        """Take what is no message for the peer."""
        if kind == "websocket.close" and self.state is State.OPEN:
            self._close(message)
        elif kind == "websocket.accept" and self.state is State.CONNECTING:
            await self._accept(message)
        elif kind == "websocket.close" and self.state is State.CONNECTING:
            await self._refuse("the application has refused the WebSocket", 403)
        elif kind == "websocket.http.response.start" and self.state is State.CONNECTING:
            self._begin_denial(message)
        elif kind == "websocket.http.response.body" and self.state is State.DENYING:
            await self._deny(message)
        else:
            raise unexpected(message, f"for a WebSocket that is {self.state.name.lower()}")

    async def _wait_open(self) -> WebSocket | None:
        """Wait for the application to accept, in another task; None where the client goes."""
        if self._watch is not None:
            await self._watch.wait()
        return self.ws

    async def _accept(self, message: Message) -> None:
        exchange, accepted = self._in_handshake()
        subprotocol = message.get("subprotocol")
        offers = exchange.head.headers.combined("Sec-WebSocket-Protocol") or ""
        if subprotocol is not None and subprotocol not in map(str.strip, offers.split(",")):
            raise LocalProtocolError(f"subprotocol {subprotocol!r:.80} was not offered")
        headers = read_headers(message.get("headers") or ())
        lines = [line for line in headers.items() if line[0].lower() not in _OWN_FIELDS]
        accepted = replace(accepted, subprotocol=subprotocol)
        response = accepted.response([("Date", date()), *lines])
        self._watch_no_more()
        stream = await exchange.switch(response)
        self.ws = WebSocket(
            stream, Role.SERVER, exchange.head, response, accepted, options=self._site.options
        )
        self.state = State.OPEN
        self._site.websockets.add(self.ws)
        if self._site.is_stopping:
            self.ws.begin_close(self._site.options.stop_close_code)
        self.decide()

    async def _refuse(self, why: str, status: int) -> None:
        exchange, _ = self._in_handshake()
        self.state = State.CLOSED
        self._watch_no_more()
        if exchange.response is None:
            await refuse(exchange, RemoteProtocolError(why, status=status))
        self.decide()

    def _begin_denial(self, message: Message) -> None:
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise LocalProtocolError(f"a response's status is 200 or more, not {status!r:.80}")
        headers = read_headers(message.get("headers", ()))
        headers.remove("Transfer-Encoding")  # the framing is the server's
        self._denial = ResponseHead(int(status), reason_phrase(status), headers=headers)
        self.state = State.DENYING

    async def _deny(self, message: Message) -> None:
        """Send content of the application's own refusal."""
        exchange, _ = self._in_handshake()
        body = read_body(message)
        is_last = not message.get("more_body", False)
        self._watch_no_more()
        head, self._denial = self._denial, None
        if head is not None:
            if is_last and head.status not in (204, 304):
                head.headers.set("Content-Length", str(len(body)))
            await exchange.start(head, body)
        elif body:
            await exchange.send(body)
        if is_last:
            await exchange.finish()
            self.state = State.CLOSED
            self.decide()

    def _in_handshake(self) -> tuple[HttpExchange, Accepted]:
        if self._exchange is None or self._accepted is None:
            raise ClientDisconnected("the client is gone")
        return self._exchange, self._accepted

    def _watch_no_more(self) -> None:
        """Give the stream back; those who wait for the client's end are woken by decide()."""
        if self._watch is not None:
            self._watch.give_back()

    def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()

    # The open WebSocket

    def _close(self, message: Message) -> None:
        assert self.ws is not None  # it is open
        code = message.get("code")
        code = CloseCode.NORMAL_CLOSURE if code is None else code
        self.ws.begin_close(code, cut_reason(message.get("reason") or ""))
        self.state = State.CLOSED


def _data_of(message: dict[str, Any]) -> str | bytes:  # Any: ASGI's values
    """Return what a websocket.send holds. Raises LocalProtocolError for neither text nor octets."""
    data = message.get("bytes")
    if data is None:
        data = message.get("text")
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise LocalProtocolError(f"websocket.send has text or bytes, not {data!r:.80}")

"""WebSockets behind an opening handshake that was not made."""

from __future__ import annotations

from collections.abc import Callable

from kit.memory_stream import memory_pair
from upwire.net.stream import Stream
from upwire.net.websocket import WebSocket, WebSocketOptions
from upwire.wire.deflate import DeflateParameters
from upwire.wire.fields import Headers
from upwire.wire.handshake import Accepted
from upwire.wire.http1 import RequestHead, ResponseHead
from upwire.wire.websocket import FrameInfo, Role

REQUEST = RequestHead("GET", "/chat", headers=Headers([("Host", "a.example")]))
RESPONSE = ResponseHead(101, "Switching Protocols")
QUIET = WebSocketOptions(ping_interval_s=None, ping_timeout_s=None)


def open_on(
    stream: Stream,
    role: Role,
    options: WebSocketOptions = QUIET,
    *,
    deflate: DeflateParameters | None = None,
    observe: Callable[[FrameInfo], None] | None = None,
) -> WebSocket:
    accepted = Accepted("", "chat", deflate)
    return WebSocket(stream, role, REQUEST, RESPONSE, accepted, options=options, observe=observe)


def open_pair(options: WebSocketOptions = QUIET) -> tuple[WebSocket, WebSocket]:
    """Make a client and a server that are connected."""
    near, far = memory_pair()
    return open_on(near, Role.CLIENT, options), open_on(far, Role.SERVER, options)

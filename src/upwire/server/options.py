"""What a server can be told, in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from upwire.errors import LocalProtocolError
from upwire.net.http1 import HttpTimeouts
from upwire.net.websocket import WebSocketKeywords, WebSocketOptions
from upwire.server.request import Request
from upwire.server.response import Response
from upwire.wire.frames import CloseCode
from upwire.wire.handshake import ServerPolicy
from upwire.wire.http1 import HeadLimits

ProcessRequest = Callable[[Request], Awaitable[Response | None]]
SelectSubprotocol = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions(WebSocketOptions):
    """What one path's WebSockets may have of their own.

    origins: the Origin fields that are let in, and None where a request without one is;
        no sequence: any. Browsers always send theirs, so this keeps other sites' pages out.
    subprotocols: those that are spoken, the preferred first.
    select_subprotocol: chooses one of the client's instead, or None.
    """

    origins: Sequence[str | None] | None = None
    subprotocols: Sequence[str] = ()
    select_subprotocol: SelectSubprotocol | None = None

    def __post_init__(self) -> None:
        WebSocketOptions.__post_init__(self)
        for name in ("origins", "subprotocols"):
            if isinstance(getattr(self, name), str):
                raise LocalProtocolError(f"{name} is a sequence of str, not one str")

    @property
    def policy(self) -> ServerPolicy:
        return ServerPolicy(
            origins=None if self.origins is None else tuple(self.origins),
            subprotocols=tuple(self.subprotocols),
            select_subprotocol=self.select_subprotocol,
            deflate=self.deflate_options,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions(EndpointOptions):
    """What a whole server can be told.

    process_request: is asked about each request before its handler; what it returns, if not
        None, is the answer, such as a 401.
    max_connections: how many are open at once; more wait to be accepted. None: no limit.
    max_body_octets: the content of a plain request; more is answered with 413.
    limits, timeouts: of request heads, and of waiting for what a client sends or takes.
    stop_timeout_s: how long a stop waits for handlers and closing handshakes.
    stop_close_code: what a stop closes WebSockets with; 1012 asks clients to come back.
    """

    process_request: ProcessRequest | None = None
    max_connections: int | None = None
    max_body_octets: int = 2**20
    limits: HeadLimits = field(default_factory=HeadLimits)
    timeouts: HttpTimeouts = field(default_factory=HttpTimeouts)
    stop_timeout_s: float = 10.0
    stop_close_code: int = CloseCode.GOING_AWAY


class EndpointKeywords(WebSocketKeywords, total=False):
    """The fields of EndpointOptions as keyword arguments."""

    origins: Sequence[str | None] | None
    subprotocols: Sequence[str]
    select_subprotocol: SelectSubprotocol | None


class ServerKeywords(EndpointKeywords, total=False):
    """The fields of ServerOptions as keyword arguments."""

    process_request: ProcessRequest | None
    max_connections: int | None
    max_body_octets: int
    limits: HeadLimits
    timeouts: HttpTimeouts
    stop_timeout_s: float
    stop_close_code: int

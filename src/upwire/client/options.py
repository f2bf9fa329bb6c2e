"""What a client can be told, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ssl import SSLContext

from upwire.errors import LocalProtocolError
from upwire.net.websocket import WebSocketKeywords, WebSocketOptions
from upwire.wire.fields import Headers
from upwire.wire.http1 import HeadLimits
from upwire.wire.websocket import FrameInfo

FieldLines = Headers | Mapping[str, str] | Iterable[tuple[str, str]]
Observe = Callable[[FrameInfo], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions(WebSocketOptions):
    """What a connection can be told.

    headers: more fields for the request; Host may be among them.
    subprotocols: those to offer, the preferred first.
    origin: the Origin to send, which browsers do and programs need not.
    open_timeout_s: for everything up to the open WebSocket, redirects included.
    unix: the path of a unix socket to connect to, instead of the URL's host and port.
    ssl: for wss; None verifies by the system's authorities.
    follow_redirects: go where a 3xx leads, 5 times at most, never from wss to ws, and without
        credentials to another origin.
    limits: of the response's head.
    observe: is called with every frame that came or went.
    """

    headers: FieldLines = ()
    subprotocols: Sequence[str] = ()
    origin: str | None = None
    open_timeout_s: float = 10.0
    unix: str | None = None
    ssl: SSLContext | None = None
    follow_redirects: bool = False
    limits: HeadLimits = field(default_factory=HeadLimits)
    observe: Observe | None = None

    def __post_init__(self) -> None:
        WebSocketOptions.__post_init__(self)
        if self.open_timeout_s <= 0:
            raise LocalProtocolError(
                f"open_timeout_s must be more than 0, not {self.open_timeout_s}"
            )
        if isinstance(self.subprotocols, str):
            raise LocalProtocolError("subprotocols is a sequence of str, not one str")


class ClientKeywords(WebSocketKeywords, total=False):
    """The fields of ClientOptions as keyword arguments."""

    headers: FieldLines
    subprotocols: Sequence[str]
    origin: str | None
    open_timeout_s: float
    unix: str | None
    ssl: SSLContext | None
    follow_redirects: bool
    limits: HeadLimits
    observe: Observe | None

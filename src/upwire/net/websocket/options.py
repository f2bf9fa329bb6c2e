"""Limits and clocks of a WebSocket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from upwire.errors import LocalProtocolError
from upwire.wire.deflate import DeflateOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """Limits and clocks of one WebSocket.

    max_message_octets: a longer message closes with 1009; nothing of it is kept.
    ping_interval_s: how long after a pong the next ping goes out; None: no pings.
    ping_timeout_s: how long a pong may take; None: for ever. A keepalive ping that stays
        unanswered while nothing else comes either closes with 1011.
    close_timeout_s: how long the peer may take to answer a Close and end the connection.
    send_timeout_s: how long send() waits for a peer that does not read; None: until the
        keepalive gives the peer up.
    receive_queue_messages, receive_queue_octets: what may wait for recv() (a character of
        text counts as one octet); at either the connection stops reading, which slows the
        peer down.
    send_buffer_octets: what send_nowait() may leave waiting for a peer that does not read; past
        it the connection is cut.
    deflate: permessage-deflate (RFC 7692); True: with its default options.
    """

    max_message_octets: int = 2**20
    ping_interval_s: float | None = 20.0
    ping_timeout_s: float | None = 20.0
    close_timeout_s: float = 10.0
    send_timeout_s: float | None = None
    receive_queue_messages: int = 1024
    receive_queue_octets: int = 2**18
    send_buffer_octets: int = 2**24
    deflate: DeflateOptions | bool | None = True

    def __post_init__(self) -> None:
        for name in (
            "max_message_octets",
            "ping_interval_s",
            "ping_timeout_s",
            "close_timeout_s",
            "send_timeout_s",
            "receive_queue_messages",
            "receive_queue_octets",
            "send_buffer_octets",
        ):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise LocalProtocolError(f"{name} must be more than 0, not {value}")

    @property
    def deflate_options(self) -> DeflateOptions | None:
        """What to offer or accept; None: messages are not compressed."""
        if isinstance(self.deflate, DeflateOptions):
            return self.deflate
        return DeflateOptions() if self.deflate else None


class WebSocketKeywords(TypedDict, total=False):
    """The fields of WebSocketOptions as keyword arguments."""

    max_message_octets: int
    ping_interval_s: float | None
    ping_timeout_s: float | None
    close_timeout_s: float
    send_timeout_s: float | None
    receive_queue_messages: int
    receive_queue_octets: int
    send_buffer_octets: int
    deflate: DeflateOptions | bool | None

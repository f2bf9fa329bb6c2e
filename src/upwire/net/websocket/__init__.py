"""`WebSocket`: messages over one Stream."""

from __future__ import annotations

from upwire.net.websocket._channel import Data, send_to_all
from upwire.net.websocket.callbacks import Callbacks
from upwire.net.websocket.options import WebSocketKeywords, WebSocketOptions
from upwire.net.websocket.websocket import WebSocket
from upwire.wire.prepared import PreparedMessage

__all__ = [
    "Callbacks",
    "Data",
    "PreparedMessage",
    "WebSocket",
    "WebSocketKeywords",
    "WebSocketOptions",
    "send_to_all",
]

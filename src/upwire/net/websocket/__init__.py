"""`WebSocket`: messages over one Stream."""

from __future__ import annotations

from upwire.net.websocket.options import WebSocketKeywords, WebSocketOptions
from upwire.net.websocket.websocket import Data, WebSocket

__all__ = ["Data", "WebSocket", "WebSocketKeywords", "WebSocketOptions"]
